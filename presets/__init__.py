"""The presets, one folder a model; the package ships this folder as `zoo._presets`."""
