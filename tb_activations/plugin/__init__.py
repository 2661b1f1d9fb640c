"""TensorBoard's side: the tab, and what it asks over HTTP. The routes are ``docs/http_api.md``.

The one invariant: TensorBoard starts and goes on whatever is wrong here, and waits for nothing. This room loads neither TensorFlow nor Keras, and
what reads numbers only when a run is asked about.

    loader, plugin, assets              what TensorBoard takes: the entry point, the tab, the files of the front end in static/
    first_steps                         the code shown where nothing is recorded
    http, wire, present                 requests and answers: arguments and errors, arrays, JSON
    routes, views, matrix, reduce       what each route answers, as wide as a screen
    runs, findings, background          what is known of the log directory, and the work that no request waits for
"""
