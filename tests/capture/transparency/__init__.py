"""The cases in which training with the callback is training without it, to the last bit: one list for the tests and for docs/transparency.md.

`models` and `trainings` are what `cases` is made of; `page` writes it down.

python -m tests.capture.transparency        writes the page anew
"""
