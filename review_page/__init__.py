"""The review page: images and their objects in the browser, to look at, correct, accept and teach a model with.

The engine serves it to one person on this computer; `page` is what the engine finds.
"""
