"""A file here is what one lesson builds; a folder is what stands behind the lessons.

| lesson | file | what it builds |
|---|---|---|
| 01 | sheet | the 29 points of the lecture's spreadsheet |
| 03 | train | mini-batches, accuracy, evaluation, the training loop |
| 05 | optim | SGD, RMSProp, Adagrad, Adam, AdamW |
| 06 | rates | the learning-rate finder, schedules, one cycle |
| 07 | losses | softmax and cross-entropy |
| 09 | embeddings | the look-up and its gradient |
| 10 | collab | models of who rates what |
| 11 | recommend | lists and their scores, models for lists, newcomers, components |
| 12 | tabular | a net for tables |
| 13 | vision | a head for every body, batches of pictures, fine-tuning |
| 14 | accumulate | gradient accumulation |
| 16 | ensemble | folds, intervals, test-time augmentation, submissions |
| 17 | multitarget | several targets from one net |

`course`: settings, figures, exercises, quiz. `data`: finding, loading, stand-ins.
`gpu`: memory, half precision, several devices.
"""

__version__ = "0.1.0"
