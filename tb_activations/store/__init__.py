"""A run on disk: writing it, following it while it grows, and reading it. The format is ``docs/format.md``.

The one invariant: this room knows bytes and numpy, no tensor library, no Keras, no TensorBoard, no HTTP.

    names, schema, reasons                                           the vocabulary
    atomic, container, jsonfile                                      files of any kind, written whole and read within bounds
    layout, segments, graphfile, operationsfile, findingsfile        the files of a run, checked
    assemble, budget, compact, session, writer                       captures → files
    folder, rows, index, nodes, merge                                files → one moment of a run
    track, reading, presence, chapters, kept                         a moment → answers
    moments, local_path, discovery, questions, answers, run          what is followed, where runs are, what may be asked, the public reader
"""
