"""What the curves of a training run say of its recipe, its data and its network."""
