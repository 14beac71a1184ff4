-- Load of benchmarks/serving.py for wrk: pictures, texts or both, every request different.
-- Arguments after --: mode (image | text | both | embeddings), file of the picture.
-- A picture's bytes end in a few random ones behind the end of the JPEG: the same pixels, another
-- upload, so that no cache of answers can help.

local mode, picture, threads = nil, nil, {}
local boundary = "----bench"
local words = {"red", "blue", "green", "dark", "moon", "guitar", "jazz", "metal", "stage", "bird"}

function setup(thread)
  table.insert(threads, thread)
  thread:set("seed", #threads)
end

local base64digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

function init(args)
  math.randomseed(seed * 7919 + os.time())
  mode = args[1]
  refused, broken, answered = 0, 0, 0
  if args[2] and #args[2] > 0 then
    local file = assert(io.open(args[2], "rb"))
    picture = file:read("*a")
    file:close()
  end
end

local function tail(letters, count)
  local made = {}
  for i = 1, count do
    local at = math.random(#letters)
    made[i] = letters:sub(at, at)
  end
  return table.concat(made)
end

local function image()
  local body = "--" .. boundary ..
    "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"p.jpg\"\r\n" ..
    "Content-Type: image/jpeg\r\n\r\n" .. picture .. tail("abcdefgh", 12) ..
    "\r\n--" .. boundary .. "--\r\n"
  return wrk.format("POST", "/api/search-by-image?k=5",
    {["Content-Type"] = "multipart/form-data; boundary=" .. boundary}, body)
end

local function text()
  local chosen = {}
  for i = 1, 6 do chosen[i] = words[math.random(#words)] end
  return wrk.format("GET", "/api/search-by-text?k=5&query=" .. table.concat(chosen, "%20"))
end

-- infinity's route: the picture file holds base64 whose length is a multiple of four.
local function embeddings()
  local body = "{\"model\":\"clip\",\"modality\":\"image\",\"input\":[\"data:image/jpeg;base64," ..
    picture .. tail(base64digits, 12) .. "\"]}"
  return wrk.format("POST", "/embeddings", {["Content-Type"] = "application/json"}, body)
end

local function embed_text()
  local chosen = {}
  for i = 1, 6 do chosen[i] = words[math.random(#words)] end
  local body = "{\"model\":\"clip\",\"input\":[\"" .. table.concat(chosen, " ") .. "\"]}"
  return wrk.format("POST", "/embeddings", {["Content-Type"] = "application/json"}, body)
end

function request()
  if mode == "image" then return image() end
  if mode == "text" then return text() end
  if mode == "embeddings" then return embeddings() end
  if mode == "embed_text" then return embed_text() end
  if math.random(2) == 1 then return image() end
  return text()
end

function response(status, headers, body)
  if status == 503 or status == 429 then
    refused = refused + 1
    if not headers["retry-after"] and not headers["Retry-After"] then broken = broken + 1 end
  elseif status ~= 200 then
    broken = broken + 1
  else
    answered = answered + 1
  end
end

function done(summary, latency, requests)
  local sums = {answered = 0, refused = 0, broken = 0}
  for _, thread in ipairs(threads) do
    for name in pairs(sums) do sums[name] = sums[name] + (thread:get(name) or 0) end
  end
  local e = summary.errors
  io.write(string.format(
    "JSON {\"seconds\":%f,\"answered\":%d,\"refused\":%d,\"broken\":%d,\"socket_errors\":%d," ..
    "\"timeouts\":%d,\"p50_ms\":%f,\"p99_ms\":%f}\n",
    summary.duration / 1e6, sums.answered, sums.refused, sums.broken,
    e.connect + e.read + e.write, e.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
