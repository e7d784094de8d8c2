"""Reading for other programs of a device: over HTTP on the loopback, and in a folder that a scanner writes to.

    supply.py       which recogniser is used now, and that a new release is taken up
    lanes.py        as many recognisers as threads may read, and a queue with an end before them
    problems.py     refusals (RFC 9457)
    requests.py     what came over HTTP: who may ask, and what is asked
    connection.py   a connection of the HTTP service: one request, in time, and its answer
    service.py      the HTTP service: its routes, its limits
    pages.py        files of pages for the device's own browser
    folder.py       pictures in a folder, and the files beside them
    texts.py        which of those files were written from here
    log.py          what is said meanwhile: counts and times

No picture, text or file name is logged.
"""
