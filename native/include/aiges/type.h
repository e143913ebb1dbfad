/* SPDX-License-Identifier: Apache-2.0
 *
 * Data types of the AIGES plugin ABI. Pure C, so that an engine in any language can follow it.
 * The layout is frozen: engines built years ago are loaded as they are (sizes and offsets on LP64
 * are pinned by native/core/abi_check.cc).
 */
#ifndef AIGES_TYPE_H
#define AIGES_TYPE_H

#ifdef __cplusplus
extern "C" {
#endif

/* Which function a wrapperSetCtrl call hands over. */
typedef enum {
  CTMeterCustom = 0, /* func is a wrapperMeterCustom */
  CTMetricsLog = 1,  /* reserved, never set */
  CTTraceLog = 2     /* func is a wrapperTraceLog */
} CtrlType;

/* What the bytes of a DataList node are. Other values may arrive from newer clients; pass them on. */
typedef enum {
  DataText = 0,
  DataAudio = 1,
  DataImage = 2,
  DataVideo = 3,
  DataPer = 4 /* personalised resource towards wrapperLoadRes, "other" in requests and answers */
} DataType;

/* Where a node stands in its stream. A one-shot request and its answer use DataOnce. */
typedef enum { DataBegin = 0, DataContinue = 1, DataEnd = 2, DataOnce = 3 } DataStatus;

/* A list of named strings: configuration, request parameters, or the description of a DataList node.
 * The loader hands over an empty list as ONE node with key == NULL, unless it is configured to pass NULL:
 * check the key as well as the pointer.
 */
typedef struct ParamList {
  char *key;              /* OWNERSHIP: whoever built the list. NUL-terminated; NULL only in the empty list's node. */
  char *value;            /* OWNERSHIP: whoever built the list. NUL-terminated, vlen bytes before the NUL. */
  unsigned int vlen;      /* bytes of value, without the NUL */
  struct ParamList *next; /* OWNERSHIP: whoever built the list. NULL ends it. */
} ParamList, *pParamList, *pConfig, *pDescList;

/* A list of named buffers: the inputs of a request or the outputs of an answer. */
typedef struct DataList {
  char *key;        /* OWNERSHIP: whoever built the list. Name of the input or output. */
  void *data;       /* OWNERSHIP: whoever built the list. len bytes; read len, never look for a NUL. */
  unsigned int len; /* bytes of data, 4 GiB - 1 at most */
  DataType type;
  DataStatus status;
  pDescList desc;        /* OWNERSHIP: whoever built the list. Attributes of this buffer, see ParamList. */
  struct DataList *next; /* OWNERSHIP: whoever built the list. NULL ends it. */
} DataList, *pDataList;

#ifdef __cplusplus
}
#endif

#endif /* AIGES_TYPE_H */
