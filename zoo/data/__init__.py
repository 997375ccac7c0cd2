"""Data: rows from files, findings about them, splits, and batches of token ids."""

from zoo.data.image_sources import looks_like_pictures as looks_like_pictures
from zoo.data.inspection import inspect_corpus as inspect_corpus
from zoo.data.inspection import inspect_data as inspect_data
from zoo.data.inspection import inspect_pictures as inspect_pictures
from zoo.data.store import Split as Split
from zoo.data.tables import read_texts as read_texts
from zoo.data.text import Data as Data
from zoo.data.text import bundled as bundled
from zoo.data.text import load_data as load_data
from zoo.data.text import load_split as load_split
