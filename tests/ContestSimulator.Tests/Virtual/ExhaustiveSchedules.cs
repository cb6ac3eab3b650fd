using FuncScaler.ContestSimulator.Traces;

namespace FuncScaler.Tests.Virtual;

/// <summary>
/// All schedules in order of arrival of a handful of requests of one function: each begins at its arrival, when an earlier one begins or
/// ends, or on a grid. Instances are then shared out as cheaply as can be, by trying every way.
/// </summary>
internal sealed class ExhaustiveSchedules
{
    private static readonly double[] GridSeconds = [0.03, 0.1];

    private readonly TraceRequest[] _requests;
    private readonly double _memoryGb;
    private readonly double _createGbSeconds;

    // What is paid beyond execution, by the total wait that it takes.
    private readonly List<(double WaitSeconds, double GbSeconds)> _schedules = [];

    public ExhaustiveSchedules(TraceRequest[] requests, double memoryGb, double coldSeconds)
    {
        _requests = requests;
        _memoryGb = memoryGb;
        _createGbSeconds = memoryGb * coldSeconds;
        Schedule(0, new double[requests.Length], 0);
    }

    public double Cheapest(double priceGbs) => _schedules.Min(s => s.GbSeconds + (priceGbs * s.WaitSeconds));

    public double CheapestWithoutWaiting() => _schedules.Where(s => s.WaitSeconds == 0).Min(s => s.GbSeconds);

    private void Schedule(int next, double[] starts, double waited)
    {
        if (next == _requests.Length)
        {
            _schedules.Add((waited, Share(0, starts, 0)));
            return;
        }

        var arrival = _requests[next].StartUs / 1e6;
        var candidates = new HashSet<double> { arrival };
        candidates.UnionWith(GridSeconds.Select(s => arrival + s));
        for (var i = 0; i < next; i++)
        {
            candidates.Add(starts[i]);
            candidates.Add(End(i, starts));
        }

        foreach (var start in candidates)
        {
            if (start >= arrival && (next == 0 || start >= starts[next - 1]))
            {
                starts[next] = start;
                Schedule(next + 1, starts, waited + (start - arrival));
            }
        }
    }

    private double Share(int next, double[] starts, int taken)
    {
        if (next == starts.Length)
        {
            return 0;
        }

        var least = _createGbSeconds + Share(next + 1, starts, taken);
        for (var i = 0; i < next; i++)
        {
            if ((taken & (1 << i)) == 0 && _requests[i].StatusCode == 200 && End(i, starts) <= starts[next])
            {
                var hold = _memoryGb * (starts[next] - End(i, starts));
                least = Math.Min(least, hold + Share(next + 1, starts, taken | (1 << i)));
            }
        }

        return least;
    }

    private double End(int request, double[] starts) => starts[request] + (_requests[request].DurationUs / 1e6);
}
