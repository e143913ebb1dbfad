import json
import logging

from aiges.dto import DataText, Once, Response, ResponseData
from aiges.sdk import IntegerParamField, StringBodyField, StringParamField, WrapperBase


class UserRequest(object):
    params1 = StringParamField(key="case", enums=["ignore", "match"], value="ignore")
    params2 = IntegerParamField(key="limit", minimum=1, maximum=100, value=10)
    input1 = StringBodyField(key="text", value=b"The quick brown fox jumps over the lazy dog")


class UserResponse(object):
    accept1 = StringBodyField(key="found")


class Wrapper(WrapperBase):
    serviceId = "keywords"
    version = "v1"
    requestCls = UserRequest()
    responseCls = UserResponse()
    config = {"words": "fox, dog"}
    words = []

    def wrapperInit(self, config):
        logging.info("Initializing ..")
        if "words" not in config:
            return 1001
        self.words = [word.strip() for word in config["words"].split(",") if word.strip()]
        return 0

    def wrapperOnceExec(self, params, reqData, usrTag="", persId=0):
        res = Response()
        text = reqData.get("text").data.decode("utf-8")
        if text.strip() == "":
            return res.response_err(1002)
        limit = int(params.get("limit", 10))
        ignore = params.get("case", "ignore") == "ignore"
        found = []
        for word in self.words:
            at = text.lower().find(word.lower()) if ignore else text.find(word)
            if at >= 0 and len(found) < limit:
                found.append({"word": word, "at": at})
        logging.info("%s: %d words found", usrTag, len(found))

        l = ResponseData()
        l.key = "found"
        l.type = DataText
        l.status = Once
        l.setData(json.dumps(found).encode("utf-8"))
        res.list = [l]
        return res

    def wrapperError(self, ret):
        if ret == 1001:
            return "the configuration lacks words"
        elif ret == 1002:
            return "the text is empty"
        return f"User Defined Error: {ret}"

    def wrapperFini(self):
        logging.info("Wrapper finished.")
        return 0


if __name__ == "__main__":
    m = Wrapper()
    m.schema()
    m.run()
