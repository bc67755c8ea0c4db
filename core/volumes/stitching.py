def stitch(a, b):
    raise NotImplementedError
