using FuncScaler.Learned;

namespace FuncScaler.Policies.Adaptive.Demand;

/// <summary>
/// Learns how far a function's rises in rate go on. When <see cref="ArrivalRates"/> sees a rise, it foretells how many extra requests a
/// cold start's
/// time would bring. This type counts how many of them come, and learns the share. One rise is followed at a time.
/// </summary>
internal struct RateRises
{
    private const int Turns = 9;

    private long _sinceUs;

    /// <summary>The extra requests foretold by the rise that is followed; 0 while none is.</summary>
    private float _foretold;

    /// <summary>The requests that would have come without the rise.</summary>
    private float _otherwise;

    /// <summary>Requests since the rise that is followed; while none is followed, requests that came during rises.</summary>
    private int _came;
    private byte _turn;
    private Share _own;

    /// <summary>A request arrived.</summary>
    /// <param name="nowUs">When, µs.</param>
    /// <param name="coldUs">How long a cold start takes, µs.</param>
    /// <param name="rates">The function's rates, with this request.</param>
    /// <param name="all">The share over all functions.</param>
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

        // After the first requests of a rise more always come, which would bias the share. So rises are followed from request 1, 2, 4 and
        // so on, in turn.
        var foretold = rates.Rise(nowUs, coldUs);
        if (foretold > 0 && ++_came >= 1 << _turn)
        {
            _foretold = (float)foretold;
            _otherwise = (float)rates.Recent(nowUs, coldUs);
            _sinceUs = nowUs;
            _came = 0;
        }
    }

    /// <summary>
    /// The share of a rise's extra requests that is expected: the function's own share, blended with that of all functions while little is
    /// known.
    /// </summary>
    public readonly double Expected(in Share all) => _own.Given(all.Given(0));

    public readonly void Write(LearnedWriter writer)
    {
        writer.Time(_sinceUs);
        writer.Number(_foretold);
        writer.Number(_otherwise);
        writer.Whole(_came);
        writer.Byte(_turn);
        _own.Write(writer);
    }

    public void Read(LearnedReader reader)
    {
        _sinceUs = reader.Time();
        _foretold = (float)reader.Number(least: 0);
        _otherwise = (float)reader.Number(least: 0);
        _came = reader.Count(int.MaxValue);
        _turn = (byte)(reader.Byte() % Turns);
        _own.Read(reader);
    }

    /// <summary>The share of foretold extra requests that came: a weighted least-squares estimate.</summary>
    internal struct Share
    {
        /// <summary>The most that one rise may count, as a multiple of what was foretold, so that no single rise decides.</summary>
        private const double Most = 2;

        private float _weightCame;
        private float _weight;

        /// <summary>Adds the outcome of one rise.</summary>
        /// <param name="came">The extra requests that came.</param>
        /// <param name="foretold">The extra requests that were foretold, more than 0.</param>
        /// <param name="otherwise">The requests that would have come without the rise.</param>
        public void Add(double came, double foretold, double otherwise)
        {
            var weight = foretold / (foretold + otherwise);
            _weightCame += (float)(weight * Math.Clamp(came, 0, Most * foretold));
            _weight += (float)(weight * foretold);
        }

        public readonly void Write(LearnedWriter writer)
        {
            writer.Number(_weightCame);
            writer.Number(_weight);
        }

        public void Read(LearnedReader reader)
        {
            _weightCame = (float)reader.Number(least: 0);
            _weight = (float)reader.Number(least: 0);
        }

        /// <summary>The share. The guess that it begins with counts as one foretold request.</summary>
        public readonly double Given(double guess) => (_weightCame + guess) / (_weight + 1);
    }
}
