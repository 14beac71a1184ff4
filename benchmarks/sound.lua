-- Load of benchmarks/sound_serving.py for wrk. Arguments after --: path to ask, file of the clip.

local boundary, made = "----bench", nil

function init(args)
  local file = assert(io.open(args[2], "rb"))
  local clip = file:read("*a")
  file:close()
  local body = "--" .. boundary ..
    "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"clip.webm\"\r\n" ..
    "Content-Type: audio/webm\r\n\r\n" .. clip .. "\r\n--" .. boundary .. "--\r\n"
  made = wrk.format("POST", args[1],
    {["Content-Type"] = "multipart/form-data; boundary=" .. boundary}, body)
end

function request() return made end

function done(summary, latency, requests)
  io.write(string.format("RESULT %d %d %.3f %.3f %.3f\n", summary.requests,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3))
end
