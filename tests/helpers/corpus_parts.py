"""What tests of language models share."""

# One small, quick run: a few seconds with everything on.
QUICK = {
    "recipe.dtype_policy": "float32",
    "architecture.hidden_dim": 16,
    "architecture.embedding_dim": 16,
    "architecture.num_layers": 1,
    "data.batch_size": 8,
    "data.window": 10,
    "recipe.epochs": 3,
    "recipe.optimizer.learning_rate": 0.02,
}
