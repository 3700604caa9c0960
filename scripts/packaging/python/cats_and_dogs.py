# %% [markdown]
# # Cats and dogs, from few photos
#
# A classifier from a small set of photos and a network that was trained on ImageNet, in the three regimes of transfer
# learning: features once and a classifier on them; the frozen network with augmented photos; its last block fine-tuned.
# Then what the network saw: Grad-CAM, and the layers' features.
#
# `PETS` is a folder with `train` and `validation`, each with a subfolder per class: 1000 photos of each class to train
# with and 500 to validate make every regime tell. Opens as a notebook in Jupyter (jupytext), VS Code, Spyder; runs as it is.

# %%
import os

import numpy as np
import vgg16

pets = os.environ.get("PETS", "pets")
epochs = int(os.environ.get("EPOCHS", "30"))
train, validation = vgg16.Data(f"{pets}/train"), vgg16.Data(f"{pets}/validation")
print(f"vgg16 {vgg16.__version__} on {vgg16.Engine().device['name']}: {len(train)} photos to train with, {len(validation)} to "
      f"validate, {', '.join(train.classes)}")
photos = dict(weights=None, size=150, preprocess="rescale")  # None: ImageNet's weights, once `vgg16 pull` has fetched them

# %% [markdown]
# ## 1. Features once
#
# The convolutional base runs once over each photo; what comes out trains a small classifier in seconds. It cannot be
# augmented: each photo was seen one way. `Features` is a transformer as scikit-learn has them.

# %%
features = vgg16.Features(pooling="none", **photos)
x, x_validation = features.fit_transform(train), features.transform(validation)
print("features:", x.shape, "of maps", features.shape)

# %%
shape = (-1, *features.shape)
classifier = vgg16.Model(head="flatten,dense:256:relu,dropout:0.5,dense:1:sigmoid", **photos)
history = classifier.fit(x.reshape(shape), train.labels, validation=(x_validation.reshape(shape), validation.labels),
                         optimizer="rmsprop", learning_rate=2e-5, batch=20, epochs=epochs)
print("validation accuracy, epoch by epoch:", np.round(history.history["val_accuracy"], 3))

# %% [markdown]
# ## 2. The frozen network, with augmentation
#
# End to end: each epoch sees every photo turned, shifted, sheared, zoomed and mirrored anew. The base does not train:
# large gradients of a random head would destroy what it has learned.

# %%
model = vgg16.Model(head="flatten,dense:256:relu,dense:1:sigmoid", **photos)
augment = dict(rotate=40, shift_height=0.2, shift_width=0.2, shear=0.2, zoom=0.2, flip=True)


class Printer:
    """A callback as Keras has them."""

    def on_epoch_end(self, epoch, logs):
        print(f"epoch {epoch + 1}: loss {logs['loss']:.4f}, validation accuracy {logs['val_accuracy']:.3f}")


history = model.fit(train, validation=validation, augment=augment, optimizer="rmsprop", learning_rate=2e-5, batch=20,
                    epochs=epochs, callbacks=[Printer()])

# %% [markdown]
# ## 3. Fine-tuning
#
# With a head that has learned, the last block may follow, at a small learning rate: its filters are the most special ones.

# %%
before = model.digest("block4_pool")
history = model.fit(train, validation=validation, augment=augment, trainable="block5", optimizer="rmsprop",
                    learning_rate=1e-5, batch=20, epochs=epochs, keep="best", report="cats_and_dogs.html")
assert model.digest("block4_pool") == before  # what is frozen has not moved
model.save("cats_and_dogs.safetensors")  # for `vgg16 predict --model`, too

# %%
found = model.evaluate(validation)
print(f"accuracy {found['accuracy']:.3f}, ROC AUC {found['mean_auc']:.3f}, confusion (rows: true)")
print(found["confusion"])
surest = np.argsort(-np.abs(found["probabilities"][:, 0] - (found["labels"] == 0)))[:3]  # the worst mistakes first
for i in surest:
    print(validation.paths[found["index"][i]], dict(zip(model.classes, np.round(found["probabilities"][i], 3))))

# %% [markdown]
# ## What it saw
#
# Grad-CAM: where in the photo stands what speaks for its class. And what a layer answers to: its channels' means, by class.

# %%
photo = validation.paths[0]
heat, probabilities, label = model.explain(photo)
row, column = np.unravel_index(np.argmax(heat), heat.shape)
print(f"{photo}: {model.classes[label]} ({probabilities[label]:.2f}), mostly for what is at row {row}, column {column} of a "
      f"map of {heat.shape[0]} x {heat.shape[1]}")

# %%
means = vgg16.Features("block4_pool", "avg", **photos).transform(validation)
apart = means[validation.labels == 1].mean(axis=0) - means[validation.labels == 0].mean(axis=0)
print("channels of block4_pool that tell the classes apart:", np.argsort(-np.abs(apart))[:5])
