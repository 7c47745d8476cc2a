"What readers type and what is said to it, in the notebook and on the site alike."

# text to the number in it
READ = {
    "11,700": 11_700,
    "1e4": 10_000,
    "0.5": 0.5,
    ".5": 0.5,
    "about 500": 500,
    "500 steps": 500,
    "1 000 000": 1_000_000,
    "1_000": 1000,
    "0,5": 0.5,
    "0,500": 0.5,
    "1,5": 1.5,
    "10^4": 10_000,
    "2*10^-3": 0.002,
    "5k": 5000,
    "2 million": 2_000_000,
    "1/4": 0.25,
    "-3": -3,
    "−3": -3,
    "12 %": 0.12,
    "12 per cent": 0.12,
}
UNREADABLE = ["", "ten", "3 to 5", "3-5", "1/0", "nan", "inf", "1e999", "?"]

# guess, truth, and how they differ
DIFFERENCES = [
    (500, 11_700, "about 23 times your guess"),
    (11_700, 500, "your guess was about 23 times as large"),
    (500, 500, "just what you said"),
    (500, 520, "20 more than you said, so you were close"),
    (500, 300, "200 less than you said"),
    (-3, 4, "7 more than you said"),
    (0, 5, "5 more than you said"),
    (5, 0, "5 less than you said"),
]
