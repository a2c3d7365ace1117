-- The health of an EventSourceMapping in Argo CD: as kstatus, from the conditions Ready, Reconciling and Stalled.
-- Suspended while the annotation lambda.esm-operator.io/paused is set. It needs none of Lua's open libraries.

local function condition(kind)
  for _, one in ipairs((obj.status or {}).conditions or {}) do
    if one.type == kind then
      return one
    end
  end
  return {}
end

local function is_paused()
  local value = (obj.metadata.annotations or {})["lambda.esm-operator.io/paused"] or ""
  for _, no in ipairs({ "", "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "0" }) do
    if value == no then
      return false
    end
  end
  return true
end

if (obj.status or {}).observedGeneration ~= obj.metadata.generation then
  return {
    status = "Progressing",
    message = "The operator has not seen the last change of the resource. Check that it runs and manages this namespace.",
  }
end

local ready, stalled = condition("Ready"), condition("Stalled")
local health = { status = "Progressing", message = ready.message or "" }
if stalled.status == "True" then
  health.status = "Degraded"
elseif ready.status == "False" and ready.reason == "Paused" then
  health.status = "Suspended"
elseif ready.status == "True" then
  health.status = is_paused() and "Suspended" or "Healthy"
  for _, kind in ipairs({ "Synced", "Processing" }) do
    local one = condition(kind)
    if one.status == "False" then
      health.message = health.message .. " " .. kind .. ": " .. (one.message or "")
    end
  end
end
return health
