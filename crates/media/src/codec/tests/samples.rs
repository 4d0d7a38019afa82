//! Message bodies as real encoders send them. The sizes, formats and rates are those that FFmpeg
//! n9.0.2 prints for the same files. Those of HE-AAC are as its standard has them.

/// One message.
pub(crate) struct Sample {
    /// Program, encoder, what was set.
    pub(crate) source: &'static str,
    /// The message body in hex.
    pub(crate) body: &'static str,
    /// What it says, in one line.
    pub(crate) says: &'static str,
}

/// Video: configurations, and key frames cut short.
pub(crate) const VIDEO: &[Sample] = &[
    Sample {
        source: "FFmpeg 5.1.9 libx264 core 164, 638x358 30000/1001 B-frames",
        body: concat!(
            "17000000000164001effe100196764001eacd940a02fea6c04400000fa40003a9803c58b658001000668",
            "ebe3cb22c0fdf8f800"
        ),
        says: "H.264 High@3.0 638x358 8 bit - fps avc1.64001e",
    },
    Sample {
        source: "FFmpeg 5.1.9 libx264 core 164, the same, force-cfr=1",
        body: concat!(
            "17000000000164001effe100196764001eacd940a02fea6c04400000fa40003a9823c58b658001000668",
            "ebe3cb22c0fdf8f800"
        ),
        says: "H.264 High@3.0 638x358 8 bit 29.97 fps avc1.64001e",
    },
    Sample {
        source: "FFmpeg 5.1.9 libx264 core 164, yuv420p10le",
        body: concat!(
            "1700000000016e001effe1001b676e001ea6cd940a02ff9b011000000300100000030320f162d9600100",
            "0668ebe3cb22c0fdfafa00"
        ),
        says: "H.264 High 10@3.0 640x358 10 bit - fps avc1.6e001e",
    },
    Sample {
        source: "FFmpeg 5.1.9 libx264 core 164, yuv444p",
        body: concat!(
            "170000000001f4001effe1001b67f4001e919b281405fdc5e022000003000200000300641e2c5b2c0100",
            "0668ebe3c44844fff8f800"
        ),
        says: "H.264 High 4:4:4 Predictive@3.0 638x358 8 bit - fps avc1.f4001e",
    },
    Sample {
        source: "FFmpeg 5.1.9 libx264 core 164, interlaced, tff",
        body: concat!(
            "170000000001640028ffe1001a67640028acd94078044fde0220000003002000000643e2c5b2c0010006",
            "68fba3cb22c0fdf8f800"
        ),
        says: "H.264 High@4.0 1920x1080 8 bit - fps avc1.640028",
    },
    Sample {
        source: "FFmpeg 5.1.9 libx264 core 164, yuv422p10le interlaced",
        body: concat!(
            "1700000000017a0015ffe1001a677a0015b6cd941433f3e022000003000200000300643e28532c010006",
            "68fba3cb22c0fefafa00"
        ),
        says: "H.264 High 4:2:2@2.1 320x180 10 bit - fps avc1.7a0015",
    },
    Sample {
        source: "FFmpeg 5.1.9 libx264 core 164, baseline",
        body: concat!(
            "17000000000142c00affe100166742c00ad902c4ec0440000003004000000783c4899201000568cb83cb",
            "20"
        ),
        says: "H.264 Constrained Baseline@1.0 176x144 8 bit - fps avc1.42c00a",
    },
    Sample {
        source: "FFmpeg 5.1.9 libx264 core 164, cqm=jvt",
        body: concat!(
            "17000000000164000dffe100196764000dacd94141fb011000000300100000030320f142996001000768",
            "ebe3cb3002c0fdf8f800"
        ),
        says: "H.264 High@1.3 320x240 8 bit - fps avc1.64000d",
    },
    Sample {
        source: "FFmpeg 5.1.9 libx264 core 164, nal-hrd=cbr, colours, aspect",
        body: concat!(
            "170000000001640015ffe1002667640015acd94141fb0ea50101014000000300400000191808007a1000",
            "1e84e4d38078b16cb001000568ebecb22cfdf8f800"
        ),
        says: "H.264 High@2.1 320x240 8 bit - fps avc1.640015",
    },
    Sample {
        source: "FFmpeg 5.1.9 libx264 core 164, libx264rgb lossless",
        body: concat!(
            "170000000001f4000dffe1001b67f4000d91d640507ec05b81010020000003002000000641e285490100",
            "0568ebc06bcbfff8f800"
        ),
        says: "H.264 High 4:4:4 Predictive@1.3 320x240 8 bit - fps avc1.f4000d",
    },
    Sample {
        source: "FFmpeg n9.0.2, libopenh264",
        body: "17000000000142c01effe100106742c01e8c680a02fea6c0407844235001000468ce3c80",
        says: "H.264 Constrained Baseline@3.0 638x358 8 bit - fps avc1.42c01e",
    },
    Sample {
        source: "FFmpeg n9.0.2 libx265 4.3+49, without SEI, 638x358 30000/1001",
        body: concat!(
            "90687663310101600000009000000000003ff000fcfdf8f800000f03200001001840010c01ffff016000",
            "00030090000003000003003f959809210001002942010101600000030090000003000003003fa0050201",
            "69d565959a4932bc05a02000007d20000ea60122000100074401c172b46240"
        ),
        says: "HEVC Main@2.1 638x358 8 bit 29.97 fps hvc1.1.6.L63.90",
    },
    Sample {
        source: "FFmpeg n9.0.2 libx265 4.3+49, without SEI, yuv420p10le",
        body: concat!(
            "90687663310102200000009000000000007bf000fcfdfafa00000f03200001001840010c01ffff022000",
            "00030090000003000003007b959409210001002d42010102200000030090000003000003007ba003c080",
            "1107cad965654a4c2f016808000003000800000301904022000100064401c073c189"
        ),
        says: "HEVC Main 10@4.1 1920x1080 10 bit 50.00 fps hvc1.2.4.L123.90",
    },
    Sample {
        source: "FFmpeg n9.0.2 libx265 4.3+49, without SEI, 637x357 yuv444p12le",
        body: concat!(
            "90687663310104080000009808000000003ff000fcfffcfc00000f03200001001740010c01ffff040800",
            "000300980800000300003f959809210001002b420101040800000300980800000300003f9000a0402d39",
            "65294b2b349265780b404000000300400000064222000100084401c172860c4624"
        ),
        says: "HEVC Range Extensions@2.1 636x356 12 bit 25.00 fps hvc1.4.10.L63.98.8",
    },
    Sample {
        source: "FFmpeg n9.0.2 libx265 4.3+49, without SEI, level 5.1, bt2020, hrd, layers",
        body: concat!(
            "906876633101022000000090000000000099f002fffdfafa00001b03200001001e40010c04ffff022000",
            "00030090000003000003009900009594aca5650240210001004c42010402200000030090000003000003",
            "00990000a00a080f13659594aca565924e5780b5091009040000030004000003006582725978003d0900",
            "07a12e000f424001e84b8003d090007a122022000100074401c172b46240"
        ),
        says: "HEVC Main 10@5.1 320x240 10 bit 25.00 fps hvc1.2.4.L153.90",
    },
    Sample {
        source: "FFmpeg n9.0.2 libx265 4.3+49, without SEI, interlaced, tff",
        body: concat!(
            "90687663310101600000004000000000005af000fcfdf8f800000f03200001001840010c01ffff016000",
            "00030040000003000003005a959809210001002b42010101600000030040000003000003005aa005a200",
            "90596566924caf016868000003000800000300c84022000100074401c172b46240"
        ),
        says: "HEVC Main@3.0 720x576 8 bit 25.00 fps hvc1.1.6.L90.40",
    },
    Sample {
        source: "FFmpeg n9.0.2 libvvenc, 638x358 yuv420p10le",
        body: concat!(
            "9076766331ff00655f010223800000028001680000028f00010096007900ab022380000080140805a754",
            "6a00737ffac21365630408270032831610860c442064883521e8f56a4bc926a4b2445a88bc449a889149",
            "11264889351964842d4217842f56a4bc97a865062c4031620204204040a8408081a4204040b102020441",
            "0102c820204840419020442040b2102048810682049041c20c81168412421c43425c8e54330467140000",
            "030004000003006462900001000c008100000a0402d22241f410"
        ),
        says: "VVC Main 10@2.1 638x358 10 bit - fps vvc1.1.L35.CQA",
    },
    Sample {
        source: "FFmpeg n9.0.2 libsvtav1, 638x358",
        body: "906176303181010c000a0c0200000d6627db2805f00080",
        says: "AV1 Main@2.1 638x358 8 bit - fps av01.0.01M.08",
    },
    Sample {
        source: "FFmpeg n9.0.2 libaom, yuv420p10le, second sequence start",
        body: "906176303181014c000a0b0000000cc4fb6536be5010",
        says: "AV1 Main@2.1 638x358 10 bit - fps av01.0.01M.10",
    },
    Sample {
        source: "FFmpeg n9.0.2 libaom, yuv444p12le, second sequence start",
        body: "9061763031814060000a0b400000043cf7b4daf96040",
        says: "AV1 Professional@2.0 318x238 12 bit - fps av01.2.00M.12",
    },
    Sample {
        source: "FFmpeg n9.0.2 librav1e, record without a sequence header",
        body: "9061763031811f0c00",
        says: "AV1 Main@- 0x0 8 bit - fps av01.0.31M.08",
    },
    Sample {
        source: "FFmpeg n9.0.2 librav1e, its key frame, cut",
        body: concat!(
            "916176303112000a0e000000fa1e7fde210a88101010a032fb461002254862bf3bf99fe007f403fb0103",
            "008400432000"
        ),
        says: "AV1 Main@- 320x240 8 bit - fps av01.0.31M.08",
    },
    Sample {
        source: "FFmpeg n9.0.2 libvpx-vp9, yuv420p",
        body: "9076703039010000000015820202020000",
        says: "VP9 Profile 0@2.1 0x0 8 bit - fps vp09.00.21.08",
    },
    Sample {
        source: "FFmpeg n9.0.2 libvpx-vp9, yuv420p, key frame, cut",
        body: "9176703039824983420027d016560638241c184a1006e050661fdfdff87fee3f",
        says: "VP9 Profile 0@- 638x358 8 bit - fps -",
    },
    Sample {
        source: "FFmpeg n9.0.2 libvpx-vp9, yuv444p",
        body: "9076703039010000000115860202020000",
        says: "VP9 Profile 1@2.1 0x0 8 bit - fps vp09.01.21.08",
    },
    Sample {
        source: "FFmpeg n9.0.2 libvpx-vp9, yuv444p, key frame, cut",
        body: "9176703039a24983420004fa02cac0c7048383094200ef4feffbfbfe3fbe2fe1",
        says: "VP9 Profile 1@- 638x358 8 bit - fps -",
    },
    Sample {
        source: "FFmpeg n9.0.2 libvpx-vp9, yuv420p10le",
        body: "9076703039010000000215a20202020000",
        says: "VP9 Profile 2@2.1 0x0 10 bit - fps vp09.02.21.10",
    },
    Sample {
        source: "FFmpeg n9.0.2 libvpx-vp9, yuv420p10le, key frame, cut",
        body: "9176703039924983420013e80b2b031c120e0c2c0803b450660fd17efffaefff",
        says: "VP9 Profile 2@- 638x358 10 bit - fps -",
    },
    Sample {
        source: "FFmpeg n9.0.2 libvpx-vp9, gbrp",
        body: "9076703039010000000115870202000000",
        says: "VP9 Profile 1@2.1 0x0 8 bit - fps vp09.01.21.08",
    },
    Sample {
        source: "FFmpeg n9.0.2 libvpx-vp9, gbrp, key frame, cut",
        body: "9176703039a2498342e027d016560638241c184a1008c04febfbfafbf77f0fdc",
        says: "VP9 Profile 1@- 638x358 8 bit - fps -",
    },
    Sample {
        source: "FFmpeg n9.0.2 libvpx, from an IVF file, cut, under an E-RTMP head",
        body: "917670303850cb009d012a7e02660100070885858885848802021c0a9f",
        says: "VP8 Profile 0@- 638x358 8 bit - fps -",
    },
    Sample {
        source: "FFmpeg 5.1.9 flv, 352x288, cut",
        body: "1200008401121e73e80c0070f80387c2",
        says: "Sorenson H.263 -@- 352x288 0 bit - fps -",
    },
    Sample {
        source: "FFmpeg 5.1.9 flv, 638x358, cut",
        body: "1200008400813f00b3121e73e80c0070",
        says: "Sorenson H.263 -@- 638x358 0 bit - fps -",
    },
    Sample {
        source: "FFmpeg 5.1.9 flv, 160x120, cut",
        body: "1200008403119e72aa0300262403001c",
        says: "Sorenson H.263 -@- 160x120 0 bit - fps -",
    },
    Sample {
        source: "FFmpeg 5.1.9 flashsv, 638x358, cut",
        body: "13327e3166002678daedc2c10900000c",
        says: "Screen -@- 638x358 0 bit - fps -",
    },
];

/// Audio: configurations, and frames cut short.
pub(crate) const AUDIO: &[Sample] = &[
    Sample {
        source: "FFmpeg 5.1.9 aac, stereo",
        body: "af00119056e500",
        says: "AAC LC 48000 Hz 2 ch mp4a.40.2",
    },
    Sample {
        source: "FFmpeg 5.1.9 aac, mono",
        body: "af00120856e500",
        says: "AAC LC 44100 Hz 1 ch mp4a.40.2",
    },
    Sample {
        source: "FFmpeg n9.0.2 aac, 5.1",
        body: "af0011b056e500",
        says: "AAC LC 48000 Hz 6 ch mp4a.40.2",
    },
    Sample {
        source: "FFmpeg n9.0.2 aac, 7.1",
        body: "af00106056e500",
        says: "AAC LC 96000 Hz 8 ch mp4a.40.2",
    },
    Sample {
        source: "ISO 14496-3 1.6.2.1, HE-AAC, SBR told first",
        body: "af002b920800",
        says: "AAC HE-AAC 44100 Hz 2 ch mp4a.40.5",
    },
    Sample {
        source: "ISO 14496-3 1.6.2.1, HE-AAC v2, PS told first",
        body: "af00eb8a0800",
        says: "AAC HE-AAC v2 44100 Hz 2 ch mp4a.40.29",
    },
    Sample {
        source: "ISO 14496-3 1.6.2.1, HE-AAC, SBR told behind the core",
        body: "af00131056e598",
        says: "AAC HE-AAC 48000 Hz 2 ch mp4a.40.5",
    },
    Sample {
        source: "ISO 14496-3 1.6.2.1, HE-AAC v2, PS told behind the core",
        body: "af00130856e59d4880",
        says: "AAC HE-AAC v2 48000 Hz 2 ch mp4a.40.29",
    },
    Sample {
        source: "ISO 14496-3 1.6.2.1, HE-AAC, SBR told by its frames alone",
        body: "af001310",
        says: "AAC LC 24000 Hz 2 ch mp4a.40.2",
    },
    Sample {
        source: "FFmpeg n9.0.2 libopus, stereo",
        body: "904f7075734f707573486561640102380180bb0000000000",
        says: "Opus - 48000 Hz 2 ch opus",
    },
    Sample {
        source: "FFmpeg n9.0.2 libopus, 16 kHz mono",
        body: "904f7075734f7075734865616401013801803e0000000000",
        says: "Opus - 48000 Hz 1 ch opus",
    },
    Sample {
        source: "FFmpeg n9.0.2 libopus, 5.1, mapping family 1",
        body: "904f7075734f707573486561640106380180bb00000000010402000401020305",
        says: "Opus - 48000 Hz 6 ch opus",
    },
    Sample {
        source: "FFmpeg n9.0.2 flac, s16",
        body: "90664c6143040004000000000010980ac442f00000000000000000000000000000000000000000",
        says: "FLAC 16 bit 44100 Hz 2 ch flac",
    },
    Sample {
        source: "FFmpeg n9.0.2 flac, 5.1, 24 bit",
        body: "90664c61430400040000000000482a17700b700000000000000000000000000000000000000000",
        says: "FLAC 24 bit 96000 Hz 6 ch flac",
    },
    Sample {
        source: "FFmpeg n9.0.2 ac3, 5.1, frame, cut",
        body: "9161632d330b77b50b1e40ebf8403eff99ff0841fc3f87f0",
        says: "AC-3 - 48000 Hz 6 ch ac-3",
    },
    Sample {
        source: "FFmpeg n9.0.2 ac3, stereo, frame, cut",
        body: "9161632d330b775068544043e106f575f0c0c218187fd7b8",
        says: "AC-3 - 44100 Hz 2 ch ac-3",
    },
    Sample {
        source: "FFmpeg n9.0.2 ac3, mono, frame, cut",
        body: "9161632d330b77973c8c402f842bf1cefab0fdf3f7cfa1be",
        says: "AC-3 - 32000 Hz 1 ch ac-3",
    },
    Sample {
        source: "FFmpeg n9.0.2 eac3, 5.1, frame, cut",
        body: "9165632d330b77037f3f87c00020f820000200400004001f",
        says: "E-AC-3 - 48000 Hz 6 ch ec-3",
    },
    Sample {
        source: "FFmpeg n9.0.2 eac3, mono, frame, cut",
        body: "9165632d330b7700cf7287c00021061070c3bdc3aefdf3ea",
        says: "E-AC-3 - 44100 Hz 1 ch ec-3",
    },
    Sample {
        source: "FFmpeg n9.0.2 ac3, sequence start",
        body: "9061632d33",
        says: "AC-3 - 0 Hz 0 ch -",
    },
    Sample {
        source: "FFmpeg 5.1.9 libmp3lame, stereo, cut",
        body: "2ffffb90640000026b0bce9d60600000",
        says: "MP3 MPEG-1 Layer III 44100 Hz 2 ch mp4a.40.34",
    },
    Sample {
        source: "FFmpeg 5.1.9 libmp3lame, 22050 Hz mono, cut",
        body: "2afff340c400133062843f4f18000bd6",
        says: "MP3 MPEG-2 Layer III 22050 Hz 1 ch mp4a.40.34",
    },
    Sample {
        source: "FFmpeg n9.0.2 libmp3lame, 48000 Hz, cut",
        body: "2ffffb94640000017a00596d0c600c00",
        says: "MP3 MPEG-1 Layer III 48000 Hz 2 ch mp4a.40.34",
    },
    Sample {
        source: "FFmpeg 5.1.9 libspeex 16000 Hz, cut",
        body: "b630549822d2000068e8e8e8e8e8e8e8",
        says: "Speex - 16000 Hz 1 ch -",
    },
    Sample {
        source: "FFmpeg 5.1.9 nellymoser 22050 Hz, cut",
        body: "6aadd5062de7dc6bd03de71e7c0fbe88",
        says: "Nellymoser - 22050 Hz 1 ch -",
    },
    Sample {
        source: "FFmpeg 5.1.9 nellymoser 16000 Hz, cut",
        body: "42aabcbb20d6dc6bcfc1f61c840e4298",
        says: "Nellymoser - 16000 Hz 1 ch -",
    },
    Sample {
        source: "FFmpeg 5.1.9 nellymoser 8000 Hz, cut",
        body: "52a28c73d23dc962aebde61e7c0e4228",
        says: "Nellymoser - 8000 Hz 1 ch -",
    },
    Sample {
        source: "FFmpeg 5.1.9 adpcm_swf 22050 Hz stereo, cut",
        body: "1b800000000001dddddddddddd544400",
        says: "ADPCM - 22050 Hz 2 ch -",
    },
    Sample {
        source: "FFmpeg 5.1.9 pcm_s16le 44100 Hz stereo, cut",
        body: "3f00000000b500b500690169011d021d",
        says: "PCM - 44100 Hz 2 ch -",
    },
    Sample {
        source: "FFmpeg 5.1.9 pcm_alaw 8000 Hz, cut",
        body: "72d5e0919e9a9a9990e2dd66161e1a1a",
        says: "G.711 A-law - 8000 Hz 1 ch -",
    },
    Sample {
        source: "FFmpeg 5.1.9 pcm_mulaw 8000 Hz, cut",
        body: "82ffc8bab3afafb2b9c6ef4a3b332f2f",
        says: "G.711 mu-law - 8000 Hz 1 ch -",
    },
];
