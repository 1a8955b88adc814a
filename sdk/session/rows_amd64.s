#include "textflag.h"

// func sumAVX2(row []float32) (sum float32, signs uint32)
// Four sums of eight lanes; len(row) is a multiple of 32.
TEXT ·sumAVX2(SB), NOSPLIT, $0-32
	MOVQ row_base+0(FP), SI
	MOVQ row_len+8(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
sumLoop:
	SUBQ $32, CX
	JL   sumDone
	VMOVUPS (SI), Y8
	VMOVUPS 32(SI), Y9
	VMOVUPS 64(SI), Y10
	VMOVUPS 96(SI), Y11
	VADDPS  Y8, Y0, Y0
	VADDPS  Y9, Y1, Y1
	VADDPS  Y10, Y2, Y2
	VADDPS  Y11, Y3, Y3
	VORPS   Y8, Y4, Y4
	VORPS   Y9, Y5, Y5
	VORPS   Y10, Y4, Y4
	VORPS   Y11, Y5, Y5
	ADDQ $128, SI
	JMP  sumLoop
sumDone:
	VADDPS Y1, Y0, Y0
	VADDPS Y3, Y2, Y2
	VADDPS Y2, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS X1, X0, X0
	VMOVHLPS X0, X0, X1
	VADDPS X1, X0, X0
	VMOVSHDUP X0, X1
	VADDSS X1, X0, X0
	VORPS  Y5, Y4, Y4
	VMOVMSKPS Y4, AX
	VZEROUPPER
	MOVSS X0, sum+24(FP)
	MOVL  AX, signs+28(FP)
	RET

// func mixAVX2(dst []float32, rows []*float32, weights []float64, by, inverse float64)
// len(dst) is a multiple of 16. With inverse = 1/by, rounded, q = s inverse is next
// to s/by, and q + (s - q by) inverse is s/by as a division rounds it: P. Markstein,
// Computation of elementary functions on the IBM RISC System/6000 processor, 1990.
TEXT ·mixAVX2(SB), NOSPLIT, $0-88
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ rows_base+24(FP), SI
	MOVQ rows_len+32(FP), R8
	MOVQ weights_base+48(FP), R9
	VBROADCASTSD by+72(FP), Y14
	VBROADCASTSD inverse+80(FP), Y15
	XORQ AX, AX
mixLoop:
	CMPQ AX, CX
	JGE  mixDone
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1
	VXORPD Y2, Y2, Y2
	VXORPD Y3, Y3, Y3
	XORQ DX, DX
mixRow:
	CMPQ DX, R8
	JGE  mixDivide
	MOVQ (SI)(DX*8), R10
	VBROADCASTSD (R9)(DX*8), Y4
	VCVTPS2PD (R10)(AX*4), Y5
	VCVTPS2PD 16(R10)(AX*4), Y6
	VCVTPS2PD 32(R10)(AX*4), Y7
	VCVTPS2PD 48(R10)(AX*4), Y8
	VFMADD231PD Y4, Y5, Y0
	VFMADD231PD Y4, Y6, Y1
	VFMADD231PD Y4, Y7, Y2
	VFMADD231PD Y4, Y8, Y3
	INCQ DX
	JMP  mixRow
mixDivide:
	VMULPD Y15, Y0, Y5
	VMULPD Y15, Y1, Y6
	VMULPD Y15, Y2, Y7
	VMULPD Y15, Y3, Y8
	VFNMADD231PD Y14, Y5, Y0
	VFNMADD231PD Y14, Y6, Y1
	VFNMADD231PD Y14, Y7, Y2
	VFNMADD231PD Y14, Y8, Y3
	VFMADD231PD Y15, Y0, Y5
	VFMADD231PD Y15, Y1, Y6
	VFMADD231PD Y15, Y2, Y7
	VFMADD231PD Y15, Y3, Y8
	VCVTPD2PSY Y5, X5
	VCVTPD2PSY Y6, X6
	VCVTPD2PSY Y7, X7
	VCVTPD2PSY Y8, X8
	VMOVUPS X5, (DI)(AX*4)
	VMOVUPS X6, 16(DI)(AX*4)
	VMOVUPS X7, 32(DI)(AX*4)
	VMOVUPS X8, 48(DI)(AX*4)
	ADDQ $16, AX
	JMP  mixLoop
mixDone:
	VZEROUPPER
	RET

// func topAVX2(row []float32, first, second *[16]float32)
// The largest and the second largest of each of 16 lanes, not below what first
// and second begin with; len(row) is a multiple of 16.
TEXT ·topAVX2(SB), NOSPLIT, $0-40
	MOVQ row_base+0(FP), SI
	MOVQ row_len+8(FP), CX
	MOVQ first+24(FP), DX
	MOVQ second+32(FP), BX
	VMOVUPS (DX), Y0
	VMOVUPS 32(DX), Y1
	VMOVUPS (BX), Y2
	VMOVUPS 32(BX), Y3
topLoop:
	SUBQ $16, CX
	JL   topDone
	VMOVUPS (SI), Y4
	VMOVUPS 32(SI), Y5
	VMINPS Y4, Y0, Y6
	VMINPS Y5, Y1, Y7
	VMAXPS Y4, Y0, Y0
	VMAXPS Y5, Y1, Y1
	VMAXPS Y6, Y2, Y2
	VMAXPS Y7, Y3, Y3
	ADDQ $64, SI
	JMP  topLoop
topDone:
	VMOVUPS Y0, (DX)
	VMOVUPS Y1, 32(DX)
	VMOVUPS Y2, (BX)
	VMOVUPS Y3, 32(BX)
	VZEROUPPER
	RET

// func findAVX2(row []float32, value float32) int
// The first multiple of 32 from which on 32 elements have one that is equal, or
// len(row), which is a multiple of 32.
TEXT ·findAVX2(SB), NOSPLIT, $0-40
	MOVQ row_base+0(FP), SI
	MOVQ row_len+8(FP), CX
	VBROADCASTSS value+24(FP), Y0
	XORQ AX, AX
findLoop:
	CMPQ AX, CX
	JGE  findDone
	VCMPPS $0, (SI)(AX*4), Y0, Y1
	VCMPPS $0, 32(SI)(AX*4), Y0, Y2
	VCMPPS $0, 64(SI)(AX*4), Y0, Y3
	VCMPPS $0, 96(SI)(AX*4), Y0, Y4
	VORPS Y1, Y2, Y1
	VORPS Y3, Y4, Y3
	VORPS Y1, Y3, Y1
	VMOVMSKPS Y1, DX
	TESTL DX, DX
	JNZ  findDone
	ADDQ $32, AX
	JMP  findLoop
findDone:
	VZEROUPPER
	MOVQ AX, ret+32(FP)
	RET
