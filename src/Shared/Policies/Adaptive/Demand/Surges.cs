namespace FuncScaler.Policies.Adaptive.Demand;

/// <summary>
/// Whether a surge of one function's requests goes on: what came in the time of a cold start after one was seen, next to what its rate had foretold. One is
/// looked at at a time.
/// </summary>
internal struct Surges
{
    private const int Turns = 9;

    private long _sinceUs;
    private float _foretold;
    private float _otherwise;

    /// <summary>How many came since; while none is looked at, how many in surges.</summary>
    private int _came;
    private byte _turn;
    private Share _own;

    /// <summary>A request arrived.</summary>
    /// <param name="nowUs">When, µs.</param>
    /// <param name="coldUs">How long a cold start takes, µs.</param>
    /// <param name="rates">The function's, with this request.</param>
    /// <param name="all">What all functions' surges have come to.</param>
    public void Arrived(long nowUs, double coldUs, in ArrivalRates rates, ref Share all)
    {
        if (_foretold > 0)
        {
            if (nowUs - _sinceUs <= coldUs)
            {
                _came++;
                return;
            }

            _own.Add(_came - _otherwise, _foretold, _otherwise);
            all.Add(_came - _otherwise, _foretold, _otherwise);
            (_foretold, _came) = (0, 0);
            _turn = (byte)((_turn + 1) % Turns);
        }

        // A surge's first requests always have more to come; so in turn the first, or one of the next two, four and so on is looked from.
        var foretold = rates.Surge(nowUs, coldUs);
        if (foretold > 0 && ++_came >= 1 << _turn)
        {
            _foretold = (float)foretold;
            _otherwise = (float)rates.Recent(nowUs, coldUs);
            _sinceUs = nowUs;
            _came = 0;
        }
    }

    /// <summary>Which share of what a surge's rate foretells is to be expected.</summary>
    public readonly double Expected(in Share all) => _own.Given(all.Given(0));

    /// <summary>Which share of what surges' rates foretold has come: the least squares' estimate, a surge's variance taken for its requests.</summary>
    internal struct Share
    {
        /// <summary>A surge may bring more than foretold, since it has only begun; but not so much that one alone decides.</summary>
        private const double Most = 2;

        private float _weightCame;
        private float _weight;

        /// <summary>Adds what one surge came to.</summary>
        /// <param name="came">How many requests came beyond the others.</param>
        /// <param name="foretold">How many had been foretold beyond the others, more than 0.</param>
        /// <param name="otherwise">How many others.</param>
        public void Add(double came, double foretold, double otherwise)
        {
            var weight = foretold / (foretold + otherwise);
            _weightCame += (float)(weight * Math.Clamp(came, 0, Most * foretold));
            _weight += (float)(weight * foretold);
        }

        /// <summary>The share; what is otherwise taken for it counts as one request.</summary>
        public readonly double Given(double otherwise) => (_weightCame + otherwise) / (_weight + 1);
    }
}
