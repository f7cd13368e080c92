"""Where the engine finds things in its flat arrays.

A model reaches the kernels as three arrays: `L` (int64: sizes, flags and index lists), `C` (float64:
coefficients) and `FN` (uint64: addresses of the generated functions). A patient's state lives in `W`
(float64) and `I` (int64). Flat arrays keep every kernel's signature the same for every model.
"""

from __future__ import annotations

# --- L: header
KIND, N, N_CORE, M_SUBJECT, M_OCCASION, N_SLOTS, N_GATES, NNZ = 0, 1, 2, 3, 4, 5, 6, 7
NNZ_CORE, N_INPUTS, N_OUTPUTS, N_COVARIATES = 8, 9, 10, 11
USES_CONTEXT, OUTPUTS_USE_TIME, AUTONOMOUS, ERROR_USES_EFFECTS, RATES_USE_CLOCK = 12, 13, 14, 15, 16
A_ROW, A_COL, A_SLOT, U_SLOT, X0_SLOT, INPUTS, OUT_ERROR, OUT_KIND = 17, 18, 19, 20, 21, 22, 23, 24
GATES, CARRY, HAS_CLOCK_GATE, HAS_DOSE_GATE = 25, 26, 27, 28
RATES_USE_TIME = 31
L_HEADER = 40
# --- C: header offsets kept in L
C_A, C_U, C_SCALE = 29, 30, 32
# one input: state, bioavailability, lag, duration, rate
IN_STATE, IN_F, IN_LAG, IN_DURATION, IN_RATE, IN_SIZE = 0, 1, 2, 3, 4, 5
# one gate: kind (0 after dose, 1 clock), start slot, length slot, number of clock hours, place in C
GATE_KIND, GATE_START, GATE_LENGTH, GATE_COUNT, GATE_AT, GATE_SIZE = 0, 1, 2, 3, 4, 5
# --- FN
F_COEFFICIENTS, F_COEFFICIENTS_D, F_RHS, F_JACOBIAN, F_RHS_D, F_JACOBIAN_D, F_TIME, F_TIME_D = (
    0, 1, 2, 3, 4, 5, 6, 7,
)  # fmt: skip
F_STEP, F_PROPAGATOR, F_STEADY, F_CONSTANT, F_PATIENT, F_REFRESH, F_PASS, F_GIVE = (
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
)
F_TRIAL, F_UNDER_WAY, F_OUTPUT = 16, 17, 18
LINEAR, VARYING, NONLINEAR = 0, 1, 2

# --- W: scalars
S_T, S_TAD, S_DOSE, S_INTERVAL, S_STEP, S_RTOL, S_ATOL = 0, 1, 2, 3, 4, 5, 6
S_AMOUNT, S_RATE, S_EVERY, S_STATE, S_ADD = 7, 8, 9, 10, 11
W_SCALARS = 12
# --- I: header: offsets of the arrays in W …
X, DX, P, DP, DPG, VAL, DVAL, UVAL, DUVAL, RATE, DRATE = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
RTOT, DRTOT, ETA, COV, GATE_ON, CTX, P_TIME, P_VALUE, P_DTIME, P_DVALUE = (
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
    20,
)
CACHE_DT, CACHE_PHI, CACHE_DPHI, F_BEFORE, F_AFTER, OUT, H_X, H_P = 21, 22, 23, 24, 25, 26, 27, 28
SCRATCH, IN_VALUES, DIN_VALUES = 35, 38, 39
# … and integers of the state
P_COUNT, CACHE_COUNT, CACHE_NEXT, FRESH, Q, MAX_STEPS, OCCASION = 40, 41, 42, 43, 44, 45, 46
P_KIND, P_STATE, P_RECORD, P_LEFT, DIRECTIONS, ISCRATCH = 47, 48, 49, 50, 51, 52
SEEN_NEXT, SEEN_DT, SEEDING, HOMOGENEOUS, DF_COLUMNS, GATE_OPEN, ATOL = 53, 54, 55, 56, 57, 58, 59
CACHE_VAL, CACHE_DVAL = 60, 61
I_HEADER = 64
CAPACITY = 512
"""How many doses may be under way at once (lagged, infused or still to be repeated)."""
CACHE_SIZE = 4
# Constants that kernels hand to each other; a number written in a call compiles the callee once more.
NONE, FIRST, IN_PARTS = -1, 0, 4
TO_COME, INCLUSIVE, EXCLUSIVE, PLANNED, NO_INPUT, NON_NEGATIVE = False, True, False, True, False, True
FOR_EVER = 1e15
"""A lag or a duration (h) that is no number a dose can have."""
DAILY = 24.0
"""The value of a pending switch of a gate that follows the clock; it comes again so many hours later."""

# --- kinds of pending events
BOLUS, RATE_CHANGE, ADDITIONAL, GATE_OPENS, GATE_SHUTS = 1, 2, 3, 4, 5

# --- whether the slots hold for the conditions in force
STALE, CURRENT, CONTEXT_CHANGED = 0, 1, 2

# --- status
OK, STEP_LIMIT, NOT_FINITE, NO_STEADY_STATE, UNSUPPORTED, TOO_MANY_PENDING, NEGATIVE = 0, 1, 2, 3, 4, 5, 6


# --- columns of the record arrays RF (n_records, 6) and RI (n_records, 7)
R_TIME, R_AMOUNT, R_RATE, R_INTERVAL, R_VALUE, R_LIMIT = 0, 1, 2, 3, 4, 5
R_EVENT, R_ADDITIONAL, R_STEADY, R_STATE, R_OUTPUT, R_OCCASION, R_CENSORING = 0, 1, 2, 3, 4, 5, 6
EV_OBSERVATION, EV_DOSE, EV_OTHER, EV_RESET, EV_RESET_DOSE = 0, 1, 2, 3, 4
