namespace FuncScaler.Statistics;

/// <summary>
/// What is learned of one function while it runs: idle gaps per slot rank, durations, create and init times.
/// </summary>
/// <remarks>
/// Rank k is the k-th slot that concurrency asks for: with last-in first-out reuse it is in use exactly while k or more requests are
/// active, so its idle gaps are the times from concurrency falling below k to reaching k again, whatever the pool does meanwhile. That
/// splits concurrency into independent single-slot problems. Where a slot serves several requests at a time, rank k is in use exactly while
/// more than k - 1 times as many requests are active. Ranks above <see cref="SingleRanks"/> share a histogram with as many as the
/// number in use varies by when requests come independently of each other: two standard deviations, twice the rank's square root.
/// </remarks>
public sealed class FunctionStatistics
{
    /// <summary>Ranks with a histogram of their own.</summary>
    public const int SingleRanks = 4;

    private const long HalfLifeUs = 3_600_000_000;
    private const int LastRank = 16_384;

    /// <summary>For each group its first rank.</summary>
    private static readonly int[] FirstRanks = GroupRanks();

    /// <summary>For each rank, from 0, its group.</summary>
    private static readonly byte[] Groups = GroupsOf(FirstRanks);

    private HazardHistogram?[] _gaps = new HazardHistogram?[2];
    private long[] _freedAtUs = [];
    private readonly DemandTracker _demand = new();
    private readonly long[] _recentDurationsUs = new long[8];
    private long _durationsSeen;
    private int _placesSeen;
    private LogHistogram? _durations;

    /// <summary>The number of rank groups.</summary>
    public static int GroupCount => FirstRanks.Length;

    /// <summary>Requests that arrived.</summary>
    public long Arrivals { get; private set; }

    /// <summary>One of the last eight execution times, µs; 0 before the first. Successive numbers give each of them in turn.</summary>
    public long RecentDurationUs(long number) => _durationsSeen == 0 ? 0 : _recentDurationsUs[number % Math.Min(_durationsSeen, _recentDurationsUs.Length)];

    /// <summary>The highest rank used so far.</summary>
    public int RanksSeen => RankOf(_placesSeen);

    /// <summary>The ranks in use now: the slots that the active requests ask for.</summary>
    public int ActiveRanks => RankOf(Active);

    /// <summary>The most ranks in use at one time.</summary>
    public int PeakRanks => RankOf(PeakActive);

    /// <summary>How many requests share a slot.</summary>
    internal int Places { get; set; } = 1;

    /// <summary>When the last request arrived, µs.</summary>
    public long LastArrivalUs { get; private set; }

    /// <summary>Requests active now: waiting or executing.</summary>
    public int Active { get; private set; }

    /// <summary>The most requests active at one time.</summary>
    public int PeakActive { get; private set; }

    /// <summary>Execution times.</summary>
    public RunningTime Duration { get; } = new();

    /// <summary>Times of CreateSlot.</summary>
    public RunningTime Create { get; } = new();

    /// <summary>Times of Init.</summary>
    public RunningTime Init { get; } = new();

    /// <summary>The estimated time of a cold start, create and init, µs; 0 before the first.</summary>
    public double ColdStartUs => Create.MeanUs + Init.MeanUs;

    /// <summary>The distribution of execution times; null before the first.</summary>
    public LogHistogram? Durations => _durations;

    /// <summary>The idle gaps of a rank (from 1), shared with its neighbours above <see cref="SingleRanks"/>; null before the first.</summary>
    public HazardHistogram? GapsOfRank(int rank) => GroupOf(rank) is var group && group < _gaps.Length ? _gaps[group] : null;

    /// <summary>When a rank's present idle gap began, µs; null when it was never used, or is in use.</summary>
    public long? FreedAtUs(int rank)
    {
        var place = ((rank - 1) * Places) + 1;
        return place > Active && place <= _placesSeen ? _freedAtUs[place - 1] : null;
    }

    /// <summary>A request arrived.</summary>
    public void RequestArrived(long nowUs)
    {
        Arrivals++;
        LastArrivalUs = nowUs;
        Active++;
        PeakActive = Math.Max(PeakActive, Active);
        _placesSeen = Math.Max(_placesSeen, Active);
        _demand.Arrived(nowUs);
    }

    /// <summary>A request that arrived is no longer active: executed, rejected or abandoned.</summary>
    /// <param name="nowUs">The time, µs.</param>
    /// <param name="waitedUs">For how long it had waited before it was executed, µs.</param>
    public void RequestEnded(long nowUs, long waitedUs = 0)
    {
        if (_freedAtUs.Length < _placesSeen)
        {
            Array.Resize(ref _freedAtUs, Math.Max(4, 2 * _placesSeen));
        }

        _freedAtUs[Active - 1] = nowUs;
        Active--;
        _demand.Ended(nowUs - waitedUs);
    }

    /// <summary>Whether there are arrivals whose idle gap is not known yet.</summary>
    internal bool HasOpenDemand => _demand.HasOpen;

    /// <summary>When the first of these came, µs; <see cref="long.MaxValue"/> for none.</summary>
    internal long OpenDemandSinceUs => _demand.OpenSinceUs;

    /// <summary>The next arrival in order whose idle gap is known by now; its gap is entered.</summary>
    /// <param name="untilUs">
    /// Up to when it is known which requests would be executing had nobody waited, µs: not later than the arrival of a request that waits,
    /// nor than now minus the wait of one that executes.
    /// </param>
    /// <param name="demand">The arrival.</param>
    public bool NextDemand(long untilUs, out RankedArrival demand)
    {
        if (!_demand.TryNext(untilUs, out demand))
        {
            return false;
        }

        if (Places > 1)
        {
            demand = demand with { Rank = RankOf(demand.Rank), Joins = (demand.Rank - 1) % Places != 0, GapUs = (demand.Rank - 1) % Places != 0 ? 0 : demand.GapUs };
        }

        if (demand.GapUs >= 0 && !demand.Joins)
        {
            (OfGroup(ref _gaps, GroupOf(demand.Rank)) ??= new HazardHistogram()).Add(demand.GapUs);
        }

        return true;
    }

    /// <summary>An execution took this long.</summary>
    public void Executed(long durationUs, long nowUs)
    {
        Duration.Add(durationUs);
        _recentDurationsUs[_durationsSeen++ % _recentDurationsUs.Length] = durationUs;
        (_durations ??= new LogHistogram(HalfLifeUs)).Add(durationUs, nowUs);
    }

    /// <summary>What is kept of a group, in an array that grows as higher ones are used.</summary>
    internal static ref T OfGroup<T>(ref T[] groups, int group)
    {
        if (group >= groups.Length)
        {
            Array.Resize(ref groups, group + 1);
        }

        return ref groups[group];
    }

    /// <summary>The ranks that share a group's histogram; the last group has all further ones as well.</summary>
    public static (int First, int Count) RanksOf(int group) =>
        (FirstRanks[group], (group + 1 < GroupCount ? FirstRanks[group + 1] : LastRank + 1) - FirstRanks[group]);

    /// <summary>Ranks of one group share a histogram: from 0 for rank 1 to <see cref="GroupCount"/> - 1.</summary>
    public static int GroupOf(int rank)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        return Groups[Math.Min(rank, LastRank)];
    }

    private int RankOf(int place) => (place + Places - 1) / Places;

    private static int[] GroupRanks()
    {
        var firsts = new List<int>();
        for (var first = 1; first <= LastRank; first += firsts.Count <= SingleRanks ? 1 : (int)(2 * Math.Sqrt(first)))
        {
            firsts.Add(first);
        }

        return [.. firsts];
    }

    private static byte[] GroupsOf(int[] firsts)
    {
        var groups = new byte[LastRank + 1];
        for (var group = 0; group < firsts.Length; group++)
        {
            Array.Fill(groups, (byte)group, firsts[group], groups.Length - firsts[group]);
        }

        return groups;
    }
}
