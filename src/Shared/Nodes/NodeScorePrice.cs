using System.Runtime.InteropServices;

namespace FuncScaler.Nodes;

/// <summary>
/// What a second of waiting is worth under the score of the 2020 contest, learned while the run goes on: what the baseline scheduler would have
/// cost for the same requests is worked out beside.
/// </summary>
/// <remarks>
/// The score is W1 · mean over functions (RT / RT of the baseline) + W2 · ND / ND of the baseline. One second of function f adds
/// W1 / (F · RT_f of the baseline); one second of a node adds W2 / ND of the baseline. Their quotient, times a node's memory, is the price in
/// GB·s. The baseline gives each request a container of its own, reuses idle ones and keeps all nodes. The contest's weights are the only setting.
/// </remarks>
public sealed class NodeScorePrice
{
    private readonly double _latencyPerNode;
    private readonly int _nodeMemoryMb;
    private readonly int _mostNodes;
    private readonly Dictionary<MetaKey, Course> _functions = [];
    private long _baselineMb;
    private double _nodeSeconds;
    private long _nodesAtUs;
    private long _nodes;
    private double _createSeconds = 1;
    private long _created;
    private double _allSeconds;
    private long _allExecutions;

    /// <param name="latencyWeight">W1, from 0.</param>
    /// <param name="nodeWeight">W2, above 0.</param>
    /// <param name="nodeMemoryMb">The memory of a node, MB; at least 1.</param>
    /// <param name="mostNodes">The most nodes at a time; at least 1.</param>
    public NodeScorePrice(double latencyWeight, double nodeWeight, int nodeMemoryMb, int mostNodes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(latencyWeight);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(nodeWeight);
        ArgumentOutOfRangeException.ThrowIfLessThan(nodeMemoryMb, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(mostNodes, 1);
        _latencyPerNode = latencyWeight / nodeWeight;
        _nodeMemoryMb = nodeMemoryMb;
        _mostNodes = mostNodes;
    }

    /// <summary>A request has arrived.</summary>
    public void Arrived(long nowUs, FunctionMeta function)
    {
        ArgumentNullException.ThrowIfNull(function);
        var course = CollectionsMarshal.GetValueRefOrAddDefault(_functions, function.Key, out _) ??= new Course();

        var executionUs = 1e6 * (course.Executions > 0 ? course.MeanSeconds : _allExecutions > 0 ? _allSeconds : 1);
        course.Requests++;
        var freeAtUs = nowUs + (long)executionUs;
        if (course.FreeAtUs.TryPeek(out _, out var earliestUs) && earliestUs <= nowUs)
        {
            course.FreeAtUs.Dequeue();
        }
        else
        {
            Integrate(nowUs);
            _baselineMb += function.MemoryMb;
            _nodes = Math.Min(_mostNodes, (_baselineMb + _nodeMemoryMb - 1) / _nodeMemoryMb);
            freeAtUs += (long)(1e6 * _createSeconds);
            course.Seconds += _createSeconds;
        }

        course.Seconds += executionUs / 1e6;
        course.FreeAtUs.Enqueue(0, freeAtUs);
    }

    /// <summary>A request has been executed.</summary>
    public void Executed(MetaKey function, long durationUs)
    {
        if (durationUs > 0 && _functions.TryGetValue(function, out var course))
        {
            course.Executions++;
            course.MeanSeconds += ((durationUs / 1e6) - course.MeanSeconds) / Math.Min(course.Executions, 100);
            _allExecutions++;
            _allSeconds += ((durationUs / 1e6) - _allSeconds) / Math.Min(_allExecutions, 1000);
        }
    }

    /// <summary>A container has been created.</summary>
    public void Created(long durationUs)
    {
        _created++;
        _createSeconds += ((durationUs / 1e6) - _createSeconds) / Math.Min(_created, 100);
    }

    /// <summary>What a second of waiting for a function is worth, GB·s; 0 for one that was never asked for.</summary>
    public double PriceGbs(MetaKey function, long nowUs)
    {
        Integrate(nowUs);
        return _functions.TryGetValue(function, out var course) ? PriceGbs(course) : 0;
    }

    /// <summary>The mean price of the requests so far, GB·s; 0 before the first.</summary>
    public double MeanPriceGbs(long nowUs)
    {
        Integrate(nowUs);
        var requests = 0L;
        var sum = 0.0;
        foreach (var course in _functions.Values)
        {
            requests += course.Requests;
            sum += course.Requests * PriceGbs(course);
        }

        return requests > 0 ? sum / requests : 0;
    }

    private double PriceGbs(Course course) =>
        _latencyPerNode * Math.Max(1, _nodeSeconds) * (_nodeMemoryMb / 1024.0) / (_functions.Count * Math.Max(1e-3, course.Seconds));

    private void Integrate(long nowUs)
    {
        if (nowUs > _nodesAtUs)
        {
            _nodeSeconds += _nodes * (nowUs - _nodesAtUs) / 1e6;
            _nodesAtUs = nowUs;
        }
    }

    /// <summary>What the baseline would have done for one function.</summary>
    private sealed class Course
    {
        /// <summary>When each of its containers is free.</summary>
        public PriorityQueue<byte, long> FreeAtUs { get; } = new();

        public long Requests { get; set; }

        public long Executions { get; set; }

        public double MeanSeconds { get; set; }

        /// <summary>What its calls have taken.</summary>
        public double Seconds { get; set; }
    }
}
