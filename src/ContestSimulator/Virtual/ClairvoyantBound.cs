using FuncScaler.ContestSimulator.Traces;

namespace FuncScaler.ContestSimulator.Virtual;

/// <summary>
/// What no scaler can exceed on a trace, not even one that knows the future: the highest score that the trace leaves room for, waiting
/// and prewarming allowed.
/// </summary>
/// <remarks>
/// <para>
/// Take a price of waiting, lambda (GB·s per second). Beyond its execution a function must then pay at least the cost of a cheapest pairing
/// of its arrivals with ends of earlier requests' executions: a pair costs the memory held from the end to the arrival, or, where the end
/// comes later, the wait at lambda minus the memory's own price; an arrival without a partner costs the memory of one create and init,
/// made just in time, with no wait at all. A real schedule delays ends as well as arrivals; taking the memory's price off lambda makes up
/// for that, so that the pairing stays a lower bound. Where lambda is below the memory's price, waiting is free in the pairing and memory
/// held costs lambda: delaying what comes before a gap closes it, but costs the delay. Pairing on a line with linear costs is solved exactly, in one streaming pass, by
/// keeping the least cost as a convex function of the instances in hand, as its slopes. Over several prices this bounds the memory time S
/// of any schedule with a total wait of L, and the score is maximised over that whole region, each step rounded up.
/// </para>
/// <para>
/// Proved for every scaler that serves a function's requests in order of arrival, under the cost model: a slot serves one function, create
/// and init take the same time every time, every request is served. Not proved, hence a heuristic, for scalers that let a short request
/// overtake a long one of the same function, or that share slots before Init between functions, which can save part of a create. The
/// resource and cold-start parts shown with it are those of one point that reaches the bound, not bounds by themselves.
/// </para>
/// <para>
/// Where an instance serves K requests at a time, it counts as K instances of a K-th of its memory that serve one each. Every schedule is one of
/// such parts too, at the same cost, so the least cost of the parts is a bound on cost. It is loose: parts can be created and given back
/// one by one. What share of the memory paid for is in use depends on how requests are packed, so there is no bound on the score's halves.
/// </para>
/// </remarks>
public sealed class ClairvoyantBound
{
    private const string HoldsForOne =
        "The bound holds for scalers that serve each function's requests in order of arrival, one request an instance at a time: a request may wait for the release of any earlier request of its own function, and for no other.";

    private const int ScoreSteps = 20_000;

    /// <summary>For which scalers the bound holds: which request may wait for which, and how many an instance serves at a time.</summary>
    /// <param name="concurrency">The most requests that an instance serves at a time.</param>
    public static string Holds(int concurrency) => concurrency == 1
        ? HoldsForOne
        : FormattableString.Invariant(
            $"The bound on cost holds for scalers that serve each function's requests in order of arrival, up to {concurrency} requests an instance at a time, where sharing an instance slows no request down. There is no bound on the score then.");

    /// <summary>The most requests that an instance of any of the trace's functions serves at a time.</summary>
    public int Concurrency { get; private init; } = 1;

    private readonly double[] _prices;
    private readonly double[] _overheads;

    private ClairvoyantBound(double[] prices, double[] overheads)
    {
        _prices = prices;
        _overheads = overheads;
    }

    /// <summary>The bound on the score, 0 to 100.</summary>
    public double Score { get; private init; }

    /// <summary>The resource half at a point that reaches <see cref="Score"/>.</summary>
    public double ResourceScore { get; private init; }

    /// <summary>The cold-start half at that point.</summary>
    public double LatencyScore { get; private init; }

    /// <summary>Slot memory time at that point, GB·s.</summary>
    public double SlotGbSeconds { get; private init; }

    /// <summary>Execution, GB·s: for each request its share of an instance's memory.</summary>
    public double ExecutionGbSeconds { get; private init; }

    /// <summary>What requests wait at that point, wire included, s.</summary>
    public double ScheduleSeconds { get; private init; }

    public long Requests { get; private init; }

    /// <summary>The least sum of slot memory time beyond execution and waits at a price, GB·s: for each price used.</summary>
    public IEnumerable<(double PriceGbs, double OverheadGbSeconds)> Overheads => _prices.Zip(_overheads);

    /// <summary>The wire's part of what requests wait, which no schedule saves, s.</summary>
    public double WireSeconds { get; private init; }

    /// <summary>
    /// A bound from below on slot memory time, creates at their price, and waits at a price, GB·s: between two prices used, on the line between
    /// their bounds, as the least cost is concave in the price.
    /// </summary>
    public double LeastCost(double priceGbs) => ExecutionGbSeconds + LeastOverhead(priceGbs) + (priceGbs * WireSeconds);

    /// <summary>
    /// A bound from below on slot memory time beyond execution plus waits at a price, the wire's part of the waits left out, GB·s. Creates
    /// count as <see cref="VirtualOptions.CreateCostGbs"/> says.
    /// </summary>
    public double LeastOverhead(double priceGbs)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(priceGbs);
        var above = Array.FindIndex(_prices, p => p >= priceGbs);
        return above switch
        {
            < 0 => _overheads[^1],
            0 => _overheads[0],
            _ => _overheads[above - 1]
                + ((_overheads[above] - _overheads[above - 1]) * (priceGbs - _prices[above - 1]) / (_prices[above] - _prices[above - 1])),
        };
    }

    /// <summary>Computes the bound in one pass over the trace.</summary>
    /// <exception cref="TraceFormatException">The trace is malformed.</exception>
    public static ClairvoyantBound Of(ITrace trace, VirtualOptions options, CancellationToken cancellationToken = default)
    {
        // From free waiting to waiting that nothing is worth: a factor of two per step, and the bound lies between steps on the safe side.
        double[] prices = [0, .. Enumerable.Range(-12, 30).Select(i => Math.Pow(2, i / 1.5))];
        var functions = new FunctionPairing?[trace.Functions.Count];
        long requests = 0;
        double executionGbSeconds = 0, executionSeconds = 0;
        foreach (var request in trace.ReadRequests())
        {
            if (++requests % 65536 == 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }

            var function = trace.Functions[request.Function];
            var memoryGb = function.Meta.MemoryGb / function.Meta.MaxConcurrency;
            var pairing = functions[request.Function] ??= new FunctionPairing(
                memoryGb,
                ((function.CreateUs ?? options.CreateUs) + (2 * options.PlatformRpcUs) + function.InitDurationUs) / 1e6,
                options.CreateCostGbs / function.Meta.MaxConcurrency,
                prices);
            pairing.Arrive(request.StartUs / 1e6, request.DurationUs / 1e6, usable: request.StatusCode == 200);
            executionSeconds += request.DurationUs / 1e6;
            executionGbSeconds += request.DurationUs / 1e6 * memoryGb;
        }

        var overheads = new double[prices.Length];
        var withCreates = options.CreateCostGbs > 0 ? new double[prices.Length] : overheads;
        foreach (var pairing in functions)
        {
            pairing?.AddTo(overheads, withCreates);
        }

        var wireSeconds = requests * (options.AssignRpcUs + options.IdleRpcUs) / 1e6;
        var (score, slot, wait) = Maximise(prices, overheads, executionGbSeconds, executionSeconds, wireSeconds);
        return new ClairvoyantBound(prices, withCreates)
        {
            Score = score,
            ResourceScore = slot > 0 ? 50 * executionGbSeconds / slot : 0,
            LatencyScore = executionSeconds > 0 ? 50 * executionSeconds / (executionSeconds + wireSeconds + wait) : 0,
            SlotGbSeconds = slot,
            ExecutionGbSeconds = executionGbSeconds,
            ScheduleSeconds = wireSeconds + wait,
            WireSeconds = wireSeconds,
            Requests = requests,
            Concurrency = trace.Functions.Count == 0 ? 1 : trace.Functions.Max(f => f.Meta.MaxConcurrency),
        };
    }

    private static (double Score, double SlotGbSeconds, double WaitSeconds) Maximise(
        double[] prices,
        double[] overheads,
        double executionGbSeconds,
        double executionSeconds,
        double wireSeconds)
    {
        if (executionSeconds <= 0 || executionGbSeconds <= 0)
        {
            return (0, 0, 0);
        }

        double SlotAt(double wait)
        {
            var least = executionGbSeconds;
            for (var i = 0; i < prices.Length; i++)
            {
                least = Math.Max(least, executionGbSeconds + overheads[i] - (prices[i] * wait));
            }

            return least;
        }

        // Beyond this wait the cold-start half alone is below a tenth of a point, and the resource half cannot exceed 50.
        var longest = 500 * (executionSeconds + wireSeconds);
        double best = 0, bestSlot = executionGbSeconds, bestWait = 0, previous = 0;
        for (var step = 0; step <= ScoreSteps; step++)
        {
            // Fine where little is waited. The score of a step takes the wait at its beginning and the memory at its end: never too low.
            var wait = step == 0 ? 0 : longest * Math.Pow(10, -9 + (9.0 * step / ScoreSteps));
            var slot = SlotAt(wait);
            var score = (50 * executionGbSeconds / slot) + (50 * executionSeconds / (executionSeconds + wireSeconds + previous));
            if (score > best)
            {
                (best, bestSlot, bestWait) = (score, slot, previous);
            }

            previous = wait;
        }

        return (best, bestSlot, bestWait);
    }

    /// <summary>The cheapest pairing of one function, for every price at once.</summary>
    private sealed class FunctionPairing
    {
        private readonly PriceState[] _states;
        private readonly PriorityQueue<byte, double> _ends = new();

        /// <summary>With a cost per create there are two states for each price: the score's, which knows no such cost, then the cost's.</summary>
        public FunctionPairing(double memoryGb, double coldSeconds, double createCostGbs, double[] prices)
        {
            var createCost = memoryGb * coldSeconds;
            _states = [.. States(createCost), .. createCostGbs > 0 ? States(createCost + createCostGbs) : []];

            IEnumerable<PriceState> States(double cost) => prices.Select(p => new PriceState(Math.Max(0, p - memoryGb), Math.Min(p, memoryGb), cost));
        }

        public void Arrive(double atSeconds, double durationSeconds, bool usable)
        {
            while (_ends.TryPeek(out _, out var end) && end <= atSeconds)
            {
                _ends.Dequeue();
                foreach (var state in _states)
                {
                    state.Free(end);
                }
            }

            foreach (var state in _states)
            {
                state.Ask(atSeconds, underWay: _ends.Count);
            }

            if (usable)
            {
                _ends.Enqueue(0, atSeconds + durationSeconds);
            }
        }

        public void AddTo(double[] overheads, double[] withCreates)
        {
            while (_ends.TryDequeue(out _, out var end))
            {
                foreach (var state in _states)
                {
                    state.Free(end);
                }
            }

            for (var i = 0; i < _states.Length; i++)
            {
                (i < overheads.Length ? overheads : withCreates)[i % overheads.Length] += _states[i].Cost;
            }
        }
    }

    /// <summary>
    /// The least cost so far as a convex function of the instances in hand (negative: arrivals that wait), kept as its value at zero and
    /// its slopes to either side, each side with a common addition. Slopes that can decide nothing any more are dropped, so that memory
    /// follows concurrency and not the trace's length.
    /// </summary>
    private sealed class PriceState(double waitPriceGbs, double holdPriceGbs, double createCost)
    {
        // Ascending: the slope next to zero is the last. Few, as no more can wait than executions are under way.
        private readonly List<double> _left = [];
        private readonly PriorityQueue<double, double> _right = new();
        private double _leftAdded;
        private double _rightAdded;
        private double _lastSeconds = double.NaN;

        public double Cost { get; private set; }

        /// <summary>An execution ended: one instance more, for whoever wants it.</summary>
        public void Free(double atSeconds)
        {
            Advance(atSeconds);
            if (_left.Count > 0 && _left[^1] + _leftAdded > 0)
            {
                // A waiting arrival takes it.
                var gain = _left[^1] + _leftAdded;
                Cost -= gain;
                _left.RemoveAt(_left.Count - 1);
                PushLeft(0);
                PushRight(gain);
            }
            else
            {
                PushRight(0);
            }
        }

        /// <summary>
        /// A request arrived: one instance less, or a new one for its create's cost. It can wait only for one of the executions under way
        /// that no other waits for.
        /// </summary>
        public void Ask(double atSeconds, int underWay)
        {
            Advance(atSeconds);
            var least = createCost;
            if (_right.TryPeek(out var slope, out _))
            {
                // Advance has left none that costs more than a create.
                least = slope + _rightAdded;
                _right.Dequeue();
            }

            Cost += least;
            PushLeft(least);
            if (_left.Count > underWay)
            {
                _left.RemoveRange(0, _left.Count - underWay);
            }
        }

        private void Advance(double atSeconds)
        {
            if (!double.IsNaN(_lastSeconds))
            {
                _rightAdded += (atSeconds - _lastSeconds) * holdPriceGbs;
                _leftAdded -= (atSeconds - _lastSeconds) * waitPriceGbs;
            }

            _lastSeconds = atSeconds;
            if (_left.Count > 0 && _left[^1] + _leftAdded <= 0)
            {
                _left.Clear();
            }

            // The smallest of the right side is at hand: once even that is not cheaper than a create, none is.
            if (_right.TryPeek(out var slope, out _) && slope + _rightAdded >= createCost)
            {
                _right.Clear();
            }
        }

        private void PushLeft(double slope)
        {
            var at = _left.BinarySearch(slope - _leftAdded);
            _left.Insert(at < 0 ? ~at : at, slope - _leftAdded);
        }

        private void PushRight(double slope) => _right.Enqueue(slope - _rightAdded, slope - _rightAdded);
    }
}
