/* SPDX-License-Identifier: Apache-2.0
 *
 * Entry points of an AIGES engine (libwrapper.so). An engine exports the functions of the capability
 * groups it offers, with C linkage and default visibility; the loader resolves them once, at load.
 *
 *   always     wrapperInit wrapperFini wrapperError wrapperVersion
 *   once       wrapperExec wrapperExecFree           (blocking)
 *   async      wrapperExecAsync                      (answers through wrapperCallback)
 *   stream     wrapperCreate wrapperWrite wrapperRead wrapperDestroy
 *   resources  wrapperLoadRes wrapperUnloadRes
 *   control    wrapperSetCtrl
 *   debug      wrapperDebugInfo
 *
 * A group counts when all of its functions are there. One of once, async and stream is needed.
 *
 * Functions return 0 for success. Any other value is an error code of the engine, which the loader turns
 * into text with wrapperError. Except for wrapperInit and wrapperFini, every function must expect to be
 * called from several threads at the same time; the calls on one stream handle never overlap.
 */
#ifndef AIGES_WRAPPER_H
#define AIGES_WRAPPER_H

#include "type.h"

#if defined(__GNUC__)
#define WrapperAPI __attribute__((visibility("default")))
#else
#define WrapperAPI
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- implemented by the loader, called by the engine -------------------------------------------------- */

/* Delivers results of an asynchronous call. May be called from any thread, also before the call that was
 * given this callback has returned. A node with status DataEnd or DataOnce, or ret != 0, is the last word
 * on that usrTag.
 *   usrTag    OWNERSHIP: engine. Any string equal to the tag of the call; it need not be the same pointer.
 *   respData  OWNERSHIP: engine, which may free it when the callback has returned. Ignored if ret != 0.
 *   returns   0 delivered, -1 nobody waits for this tag (any more).
 */
typedef int (*wrapperCallback)(const void *usrTag, pDataList respData, int ret);

/* Counts a billable or measurable event. Any thread, while the call with that usrTag is running.
 *   usrTag, meterKey  OWNERSHIP: engine; the loader copies before it returns.
 */
typedef int (*wrapperMeterCustom)(const void *usrTag, const char *meterKey, int count);

/* Records a key and value in the log of the request. Any thread, while the call with that usrTag is running.
 *   usrTag, key, value  OWNERSHIP: engine; the loader copies before it returns.
 */
typedef int (*wrapperTraceLog)(const void *usrTag, const char *key, const char *value);

/* ---- implemented by the engine, called by the loader -------------------------------------------------- */

/* Hands over a function of the loader. Called before wrapperInit, once per CtrlType in use.
 *   func  OWNERSHIP: loader; valid until wrapperFini has returned.
 */
WrapperAPI int wrapperSetCtrl(CtrlType type, void *func);

/* Prepares the engine. Called once per process.
 *   cfg  OWNERSHIP: loader; freed when the call returns, so copy what is needed.
 */
WrapperAPI int wrapperInit(pConfig cfg);

/* Ends the engine, after the last other call has returned. */
WrapperAPI int wrapperFini(void);

/* Text for an error code, for any value of errNum.
 *   returns  OWNERSHIP: engine; the loader copies at once. NULL counts as "".
 */
WrapperAPI const char *wrapperError(int errNum);

/* Version of the engine.
 *   returns  OWNERSHIP: engine; the loader copies at once. NULL counts as "".
 */
WrapperAPI const char *wrapperVersion(void);

/* Loads a personalised resource: key names it, desc describes it, type is DataPer, status DataEnd.
 *   perData  OWNERSHIP: loader; freed when the call returns.
 */
WrapperAPI int wrapperLoadRes(pDataList perData, unsigned int resId);

/* Drops a resource that wrapperLoadRes has taken. */
WrapperAPI int wrapperUnloadRes(unsigned int resId);

/* Opens a stream.
 *   usrTag   OWNERSHIP: loader. Without cb valid until the call returns; with cb until the final callback
 *            and wrapperDestroy.
 *   params   OWNERSHIP: loader; freed when the call returns.
 *   cb       NULL asks for results through wrapperRead.
 *   psrIds   OWNERSHIP: loader; psrCnt resource ids, freed when the call returns. NULL when psrCnt is 0.
 *   errNum   OWNERSHIP: loader; 0 on entry, the engine's code when the call fails.
 *   returns  OWNERSHIP: engine; an opaque handle until wrapperDestroy. NULL means failure.
 */
WrapperAPI const void *wrapperCreate(const char *usrTag, pParamList params, wrapperCallback cb, unsigned int psrIds[],
                                     int psrCnt, int *errNum);

/* Takes a piece of input.
 *   handle   OWNERSHIP: engine, from wrapperCreate.
 *   reqData  OWNERSHIP: loader; freed when the call returns.
 */
WrapperAPI int wrapperWrite(const void *handle, pDataList reqData);

/* Gives the next results, or leaves *respData NULL when there are none yet.
 *   handle    OWNERSHIP: engine, from wrapperCreate.
 *   respData  OWNERSHIP: the slot is the loader's, the list the engine's: valid until the next call on this
 *             handle.
 */
WrapperAPI int wrapperRead(const void *handle, pDataList *respData);

/* Closes a stream. Called exactly once for every handle.
 *   handle  OWNERSHIP: returns to the engine, which frees it.
 */
WrapperAPI int wrapperDestroy(const void *handle);

/* Answers one request, blocking.
 *   usrTag    OWNERSHIP: loader; valid until wrapperExecFree has returned.
 *   params    OWNERSHIP: loader; freed when the call returns.
 *   reqData   OWNERSHIP: loader; freed when wrapperExecFree has returned. Read only: a node's data may be
 *             the request's own memory.
 *   respData  OWNERSHIP: the slot is the loader's, NULL on entry; the list is the engine's until
 *             wrapperExecFree.
 *   psrIds    OWNERSHIP: loader; psrCnt resource ids, freed when the call returns. NULL when psrCnt is 0.
 */
WrapperAPI int wrapperExec(const char *usrTag, pParamList params, pDataList reqData, pDataList *respData,
                           unsigned int psrIds[], int psrCnt);

/* Takes back what wrapperExec gave. Called exactly once after each wrapperExec that returned 0, also when it
 * gave NULL, and never after one that failed. May run on another thread than wrapperExec did.
 *   usrTag    OWNERSHIP: loader; the tag of the wrapperExec call, still valid.
 *   respData  OWNERSHIP: the slot is the loader's; the list goes back to the engine.
 */
WrapperAPI int wrapperExecFree(const char *usrTag, pDataList *respData);

/* Takes one request and answers it through cb.
 *   usrTag   OWNERSHIP: loader; valid until the final callback.
 *   params   OWNERSHIP: loader; freed when the call returns.
 *   reqData  OWNERSHIP: loader; freed when the call returns, so copy what is needed later.
 *   timeout  milliseconds that the requester will wait; 0 means no limit.
 *   psrIds   OWNERSHIP: loader; psrCnt resource ids, freed when the call returns. NULL when psrCnt is 0.
 */
WrapperAPI int wrapperExecAsync(const char *usrTag, pParamList params, pDataList reqData, wrapperCallback cb,
                                int timeout, unsigned int psrIds[], int psrCnt);

/* Describes a stream for a person who debugs it.
 *   handle   OWNERSHIP: engine, from wrapperCreate.
 *   returns  OWNERSHIP: engine; the loader copies at once. NULL counts as "".
 */
WrapperAPI const char *wrapperDebugInfo(const void *handle);

#ifdef __cplusplus
}
#endif

#endif /* AIGES_WRAPPER_H */
