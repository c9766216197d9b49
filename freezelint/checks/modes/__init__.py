"""Train and eval mode, and the statistics of normalisation layers."""
