#!/usr/bin/env python3
"""Tests of counts.py that need no compiler: python3 benches/counts/test_counts.py"""

import re
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
import counts

# A loop that stores a block, whose branch lies behind it, as cold code does; a loop that stores words; and what pads the end.
SASS = """
.section\t.text.entry,"ax",@progbits
.text.entry:
        /*0000*/                   MOV R1, c[0x0][0x28] ;
.L_x_1:
        /*0010*/                   IMAD.WIDE.U32 R2, R3, -0x326172a9, RZ ;
        /*0020*/               @P1 BRA `(.L_x_3) ;
.L_x_2:
        /*0030*/                   BSSY B0, `(.L_x_6) ;
        /*0040*/               @P2 BRA `(.L_x_5) ;
        /*0050*/                   FADD R2, R2, R4 ;
.L_x_5:
        /*0060*/                   BSYNC B0 ;
.L_x_6:
        /*0070*/                   STG.E.128 [R6], R8 ;
        /*0080*/              @!P0 BRA `(.L_x_1) ;
.L_x_4:
        /*0090*/                   STG.E [R6], R8 ;
        /*00a0*/                   BRA P3, `(.L_x_4) ;
        /*00b0*/                   EXIT ;
.L_x_3:
        /*00c0*/                   FMUL R2, R2, R5 ;
        /*00d0*/                   BRA `(.L_x_2) ;
.L_x_7:
        /*00e0*/                   BRA `(.L_x_7);
        /*00f0*/                   NOP;
"""

ACO = """BB0:
\ts_mov_b32 s0, s3                                            ; be800303
\tv_mov_b32_e32 v0, 0                                         ; 7e000280
BB1:
\tv_mul_lo_u32 v[4:7], v0, s13                                ; d5690000 00001b00
\ts_cbranch_scc1 BB3                                          ; bf850002
BB2:
\tv_add_f32_e32 v4, v4, v5                                    ; 06080b04
BB3:
\tbuffer_store_dwordx4 v[4:7], v1, s[0:3], 0 offen            ; e0701000 80000401
\ts_cbranch_vccnz BB1                                         ; bf87fff0
BB4:
\ts_endpgm                                                    ; bf810000
"""


class Counts(unittest.TestCase):
    def test_sass(self):
        code = counts.Nvidia.read(SASS)
        found = counts.figures(code, lambda i: i.name != "NOP", counts.Nvidia.stored, 4, 10)
        # 8 from the first label to the branch back, and 2 that lie behind.
        self.assertEqual((found.value, found.once, found.redraw, found.notes), (10 / 4, 2, 2, []))
        self.assertEqual((found.kinds["FMUL"], found.kinds["IMAD.WIDE"]), (1 / 4, 1 / 4))
        # Of 10 instructions a 64-bit product takes two turns of 64 lanes, more than all of them to issue.
        of, by, cycles = counts.pipes({**found.kinds, "IMAD.WIDE": 4})
        self.assertEqual((of["IMAD"], of["FMA"], by, cycles), (4, 2 / 4, "IMAD", 2 * 4 / 64))
        # As many bytes are twice as many 16-bit elements.
        self.assertEqual(counts.figures(code, lambda i: True, counts.Nvidia.stored, 2, 10).value, 10 / 8)

    def test_aco(self):
        code = counts.Amd.read(ACO)
        found = counts.figures(code, lambda i: i.name.startswith("v_"), counts.Amd.stored, 4, 8)
        self.assertEqual((found.value, found.once, found.redraw), (2 / 4, 1, None))

    def test_unrolled(self):
        code = counts.Amd.read(re.sub(r"\ts_cbranch.*\n", "", ACO))
        found = counts.figures(code, lambda i: i.name.startswith("v_"), counts.Amd.stored, 4, 8)
        self.assertEqual((found.value, found.once), (3 / 4, None))

    def test_loop_inside(self):
        code = counts.Amd.read(ACO.replace("v_add_f32_e32 v4, v4, v5 ", "s_cbranch_scc0 BB2"))
        found = counts.figures(code, lambda i: i.name.startswith("v_"), counts.Amd.stored, 4, 8)
        self.assertEqual(len(found.notes), 1)

    def test_kernels_of_this_checkout(self):
        sources = counts.Sources(Path(counts.__file__).parents[2])
        for kernel in sources.own:
            for size in (4, 2):
                narrow, wide = (sources.wgsl(kernel, size, wide) for wide in (False, True))
                self.assertTrue("fn main(" in narrow and "u64" in wide and "u64" not in narrow, kernel)
                guards, language = (sources.wgsl(kernel, size, True, rounding) for rounding in counts.ROUNDINGS)
                self.assertTrue("params.zero" in guards and "params.zero" not in language, kernel)


if __name__ == "__main__":
    unittest.main()
