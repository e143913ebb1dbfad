// SPDX-License-Identifier: Apache-2.0
// Pins the plugin ABI: engines built years ago are loaded as they are, so a change here is a break.
#include <cstddef>

#include "aiges/type.h"
#include "aiges/wrapper.h"

static_assert(sizeof(void*) == 8 && sizeof(int) == 4, "the ABI is defined for LP64");

static_assert(sizeof(ParamList) == 32);
static_assert(offsetof(ParamList, key) == 0);
static_assert(offsetof(ParamList, value) == 8);
static_assert(offsetof(ParamList, vlen) == 16);
static_assert(offsetof(ParamList, next) == 24);

static_assert(sizeof(DataList) == 48);
static_assert(offsetof(DataList, key) == 0);
static_assert(offsetof(DataList, data) == 8);
static_assert(offsetof(DataList, len) == 16);
static_assert(offsetof(DataList, type) == 20);
static_assert(offsetof(DataList, status) == 24);
static_assert(offsetof(DataList, desc) == 32);
static_assert(offsetof(DataList, next) == 40);

static_assert(sizeof(CtrlType) == 4 && sizeof(DataType) == 4 && sizeof(DataStatus) == 4);
static_assert(CTMeterCustom == 0 && CTMetricsLog == 1 && CTTraceLog == 2);
static_assert(DataText == 0 && DataAudio == 1 && DataImage == 2 && DataVideo == 3 && DataPer == 4);
static_assert(DataBegin == 0 && DataContinue == 1 && DataEnd == 2 && DataOnce == 3);

namespace {

template <typename A, typename B>
constexpr bool kSame = false;
template <typename A>
constexpr bool kSame<A, A> = true;

}  // namespace

static_assert(kSame<decltype(&wrapperSetCtrl), int (*)(CtrlType, void*)>);
static_assert(kSame<decltype(&wrapperInit), int (*)(pConfig)>);
static_assert(kSame<decltype(&wrapperFini), int (*)()>);
static_assert(kSame<decltype(&wrapperError), const char* (*)(int)>);
static_assert(kSame<decltype(&wrapperVersion), const char* (*)()>);
static_assert(kSame<decltype(&wrapperLoadRes), int (*)(pDataList, unsigned int)>);
static_assert(kSame<decltype(&wrapperUnloadRes), int (*)(unsigned int)>);
static_assert(kSame<decltype(&wrapperCreate),
                    const void* (*)(const char*, pParamList, wrapperCallback, unsigned int*, int, int*)>);
static_assert(kSame<decltype(&wrapperWrite), int (*)(const void*, pDataList)>);
static_assert(kSame<decltype(&wrapperRead), int (*)(const void*, pDataList*)>);
static_assert(kSame<decltype(&wrapperDestroy), int (*)(const void*)>);
static_assert(
    kSame<decltype(&wrapperExec), int (*)(const char*, pParamList, pDataList, pDataList*, unsigned int*, int)>);
static_assert(kSame<decltype(&wrapperExecFree), int (*)(const char*, pDataList*)>);
static_assert(kSame<decltype(&wrapperExecAsync),
                    int (*)(const char*, pParamList, pDataList, wrapperCallback, int, unsigned int*, int)>);
static_assert(kSame<decltype(&wrapperDebugInfo), const char* (*)(const void*)>);
