/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that can go wrong in this engine: the code that wrapperInit or wrapperExec returns and the text that
 * wrapperError gives for it, on one line each. Every text names the fault and what to do about it.
 */
#ifndef DIGITS_ERRORS_H
#define DIGITS_ERRORS_H

#define DIGITS_ERRORS(X)                                                                                             \
  /* the engine and its weights */                                                                                   \
  X(1001, E_WEIGHTS_KEY, "config key 'weights' is missing; set it to the path of weights.bin")                       \
  X(1002, E_WEIGHTS_OPEN,                                                                                            \
    "the file that config key 'weights' names cannot be read; check the path (a relative one "                       \
    "starts at the working directory) and its permissions")                                                          \
  X(1003, E_WEIGHTS_MAGIC,                                                                                           \
    "the file that config key 'weights' names is not a weights file of this engine; point it "                       \
    "to weights.bin")                                                                                                \
  X(1004, E_WEIGHTS_VERSION,                                                                                         \
    "the weights file has a version this engine does not read; write it anew with train.mjs"                         \
    " of the same release")                                                                                          \
  X(1005, E_WEIGHTS_LENGTH, "the weights file is shorter or longer than it says; copy it again")                     \
  X(1006, E_WEIGHTS_CHECKSUM, "the weights file is damaged (its checksum differs); copy it again")                   \
  X(1007, E_WEIGHTS_SHAPE,                                                                                           \
    "the layers in the weights file do not lead from a 28x28 image to 10 scores; write it "                          \
    "anew with train.mjs")                                                                                           \
  X(1008, E_WEIGHTS_VALUE, "the weights file holds numbers that give no finite score; write it anew with train.mjs") \
  X(1009, E_NOT_READY, "the engine is not initialised; call wrapperInit first and look at what it returns")          \
  X(1010, E_READY, "the engine is initialised already; call wrapperFini before wrapperInit")                         \
  X(1011, E_MEMORY, "out of memory; allow the process more or run fewer calls at a time")                            \
  /* the request */                                                                                                  \
  X(1101, E_NO_IMAGE, "the request has no data; send one image")                                                     \
  X(1102, E_EMPTY_IMAGE, "the image has no bytes; send 784 raw bytes, a PGM or a PNG")                               \
  X(1103, E_FORMAT, "the image is none of 784 raw bytes, PGM (P5, P2) and PNG; convert it to one of them")           \
  X(1104, E_TOO_LARGE, "the image file is larger than 1 MiB; drop its metadata and send 28x28 pixels")               \
  /* PGM */                                                                                                          \
  X(1201, E_PGM_HEADER, "the PGM header is malformed; it is P5 or P2, width, height and maximum")                    \
  X(1202, E_PGM_SIZE, "the PGM is not 28 pixels wide and high; scale it to 28x28")                                   \
  X(1203, E_PGM_MAXIMUM, "the PGM has a maximum outside 1 to 255; save it with one byte per pixel")                  \
  X(1204, E_PGM_TRUNCATED, "the PGM ends before its last pixel; send the whole file")                                \
  X(1205, E_PGM_PIXEL, "the PGM has a pixel that is no number up to its maximum; save it anew")                      \
  /* PNG */                                                                                                          \
  X(1301, E_PNG_TRUNCATED, "the PNG ends before its IEND chunk; send the whole file")                                \
  X(1302, E_PNG_CRC, "the PNG is damaged (the CRC of a chunk differs); send it again")                               \
  X(1303, E_PNG_CHUNKS, "the PNG has a malformed, misplaced or unknown critical chunk; save it anew")                \
  X(1304, E_PNG_HEADER, "the PNG header names a colour type or method that PNG does not have; save it anew")         \
  X(1305, E_PNG_SIZE, "the PNG is not 28 pixels wide and high; scale it to 28x28")                                   \
  X(1306, E_PNG_DEPTH, "the PNG does not have 8 bits per sample; save it with a bit depth of 8")                     \
  X(1307, E_PNG_INTERLACED, "the PNG is interlaced; save it without interlacing")                                    \
  X(1308, E_PNG_PALETTE, "the PNG has no palette, or one too small for its pixels; save it anew")                    \
  X(1309, E_PNG_DEFLATE, "the compressed pixels of the PNG are malformed; save it anew")                             \
  X(1310, E_PNG_PIXELS, "the compressed data of the PNG holds fewer or more pixels than 28x28; save it anew")        \
  X(1311, E_PNG_ADLER, "the PNG is damaged (the checksum of its pixels differs); send it again")                     \
  X(1312, E_PNG_FILTER, "the PNG uses a row filter that PNG does not have; save it anew")

#define DIGITS_ENUMERATOR(code, name, text) name = code,

typedef enum { OK = 0, DIGITS_ERRORS(DIGITS_ENUMERATOR) } Status;

/* Text for a code, also for one that is not ours. Lives as long as the program. */
const char *status_text(int code);

/* Leaves the calling function with the status of `call` unless it is OK. */
#define TRY(call)                      \
  do {                                 \
    const Status status_ = (call);     \
    if (status_ != OK) return status_; \
  } while (0)

#endif
