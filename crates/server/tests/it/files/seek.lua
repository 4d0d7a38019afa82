-- For mpv: seeks to and fro, tells where each seek has led, and quits.
local wanted = { 6.5, 1.3, 4.7 }
local step = 0

mp.register_event("playback-restart", function()
    if step > 0 then
        io.stdout:write(string.format("%.3f %.3f\n", wanted[step], mp.get_property_number("time-pos")))
    end
    step = step + 1
    if wanted[step] then
        mp.commandv("seek", wanted[step], "absolute+exact")
    else
        mp.command("quit")
    end
end)
