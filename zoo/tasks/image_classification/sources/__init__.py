"""Where images come from: class folders, tables, arrays, `tf.data`; to learn from or to predict."""
