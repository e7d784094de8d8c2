"""Forms to copy by hand: printed with what to write, and cut into labelled samples when they come back as pictures.

    sheets      what stands in which box of which page, for whom
    code        the code on a page, which says so
    layout      where everything is on the paper, in millimetres
    drawing     from pages to a PDF
    scans       from files to pictures
    rectifying  from a picture to a page that is flat, evenly lit and known
    cutting     from such a page to boxes, and which of them count
    samples     from boxes to what the store takes in
    contact     a picture of all boxes with their labels, to check them
    extra       the libraries that all this needs
    terminal    what the commands say
    cli         `handfed device sheet` and `handfed device import-scan`

Source: docs/decisions/0025-forms-that-say-what-they-are.md
"""
