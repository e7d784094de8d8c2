"""A release in formats of others, each checked against what it was made of before anybody gets it.

    formats     what there is, and what `EXPORT.json` says of an export
    source      a release with its file and, where its run is on record, its float arrays
    onnx_files  ONNX: the signature put around a converted LiteRT file, and ONNX Runtime
    core_ml     what a Core ML package says, computed without Core ML
    parity      an exported file beside what it was made of, on real and on synthetic pictures
    service     convert, compare, and only then give the folder its name

Nothing here is imported by a device; the converters come with the extra `export`.
"""
