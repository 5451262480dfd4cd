"""Reads user-data as cloud-init itself does and prints, as JSON, its parts and the merged cloud-config."""

import json
import sys
import tempfile

from cloudinit import helpers, user_data, util
from cloudinit.handlers.cloud_config import CloudConfigPartHandler

with tempfile.TemporaryDirectory() as folder:
    paths = helpers.Paths({"cloud_dir": folder, "run_dir": folder})
    message = user_data.UserDataProcessor(paths).process(sys.stdin.buffer.read())
    handler = CloudConfigPartHandler(paths)
    parts = []
    for part in message.walk():
        if part.get_content_maintype() == "multipart":
            continue
        kind, name = part.get_content_type(), part.get_filename()
        payload = util.fully_decoded_payload(part)
        parts.append([kind, name, payload])
        if kind == "text/cloud-config":
            handler.handle_part(None, kind, name, payload, None, dict(part.items()))
    print(json.dumps({"parts": parts, "config": handler.cloud_buf}))
