"""A run on disk: writing it, following it while it grows, and reading it. The format is ``docs/format.md``.

The one invariant: this room knows bytes and numpy, no tensor library, no Keras, no TensorBoard, no HTTP.

    names, schema, reasons    the vocabulary                    atomic, container, segments, graphfile, findingsfile   the files, checked
    assemble, budget, compact, session, writer   captures → files   folder, index, nodes, merge   files → one moment of a run
    track, reading, presence, kept  answers                           run, discovery                   the public reader, and where runs are
"""
