"""From the bytes of image files to pixels, in a graph that a server runs."""
