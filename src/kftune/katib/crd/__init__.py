"""Predicts the API server's answer to custom objects of Trainer, Argo, KFP and the training operator."""
