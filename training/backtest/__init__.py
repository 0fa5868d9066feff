"""The prequential backtest: past events, with retraining as it would have happened."""
