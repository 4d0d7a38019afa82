-- For OBS: stops the stream, as its button does, when the file of this script's settings appears.
obs = obslua
local file

function script_load(settings)
    file = obs.obs_data_get_string(settings, "file")
    obs.timer_add(function()
        local found = io.open(file, "r")
        if found then
            found:close()
            obs.remove_current_callback()
            obs.obs_frontend_streaming_stop()
        end
    end, 100)
end
