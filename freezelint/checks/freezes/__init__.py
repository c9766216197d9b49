"""Rules about freezes that do not take, or take too much."""
