"""The demo: three trainings on real data that needs no download, each with a value that plain code could not show."""
