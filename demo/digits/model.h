/* SPDX-License-Identifier: Apache-2.0
 *
 * The trained network: a list of layers read from a weights file (described in training/weights.mjs). Any network of
 * these layers that leads from 28x28 values to ten scores will do; which one it is, only the file says.
 */
#ifndef DIGITS_MODEL_H
#define DIGITS_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "errors.h"
#include "image.h"

enum { MODEL_CLASSES = 10 };

typedef struct Model Model;

/* Builds a model from the content of a weights file.
 *   model  OWNERSHIP: caller, until model_free. Set only if the status is OK.
 */
Status model_parse(const uint8_t *bytes, size_t length, Model **model);

/* Reads a weights file, and model_parse. */
Status model_load(const char *path, Model **model);

/* Gives the probability of each digit. Several threads may use one model at the same time. */
Status model_scores(const Model *model, const uint8_t ink[IMAGE_PIXELS], float scores[MODEL_CLASSES]);

/* Frees a model, or does nothing for NULL. */
void model_free(Model *model);

#endif
