using FsCheck.Fluent;
using FuncScaler.Statistics;

namespace FuncScaler.Tests.Statistics;

public class DemandTrackerTests
{
    [Fact]
    public void Of_requests_one_after_the_other_each_asks_for_the_first_slot()
    {
        var tracker = new DemandTracker();
        tracker.Arrived(10);
        Assert.Equal(new RankedArrival(10, 1, -1), Next(tracker, 10));
        tracker.Ended(15);
        tracker.Arrived(40);
        Assert.Equal(new RankedArrival(40, 1, 25), Next(tracker, 40));
        Assert.Null(Next(tracker, long.MaxValue));
    }

    [Fact]
    public void An_arrival_is_not_given_out_before_it_is_known_who_was_executing()
    {
        var tracker = new DemandTracker();
        tracker.Arrived(10);
        tracker.Arrived(20);
        Assert.NotNull(Next(tracker, 19));
        Assert.Null(Next(tracker, 19));
        Assert.True(tracker.HasOpen);

        // The first had waited; without the wait it had ended before the second came.
        tracker.Ended(12);
        Assert.Equal(new RankedArrival(20, 1, 8), Next(tracker, 20));
        Assert.False(tracker.HasOpen);
    }

    [Fact]
    public void Requests_that_nobody_had_to_wait_for_are_those_of_a_queue_with_servers_for_all() => Check(waits: false);

    [Fact]
    public void Whatever_requests_wait_demand_is_that_of_a_queue_with_servers_for_all() => Check(waits: true);

    // No execution ends at the very time another arrives: which of the two is first is nobody's business here.
    private static void Check(bool waits) => Properties.Check(
        (from count in Gen.Choose(1, 60)
         from requests in Gen.ArrayOf(
             from start in Gen.Choose(0, 3_000)
             from length in Gen.Choose(0, 400)
             from wait in Gen.Choose(0, 500)
             select new Request(start * 10L, (length * 10L) + 5, waits ? wait * 10L : 0), count)
         select requests).ToArbitrary(),
        requests =>
        {
            var inOrder = requests.OrderBy(r => r.AtUs).ToArray();
            Assert.Equal(Naive(inOrder), Tracked(inOrder));
        },
        tests: 300);

    /// <summary>What the tracker gives out, told of events in the order of real time and asked as a pool asks it.</summary>
    private static List<RankedArrival> Tracked(Request[] requests)
    {
        var tracker = new DemandTracker();
        var stream = new List<RankedArrival>();
        var times = requests.SelectMany(r => new[] { r.AtUs, r.BeginUs, r.EndUs }).Distinct().Order();
        foreach (var nowUs in times)
        {
            foreach (var request in requests)
            {
                if (request.AtUs == nowUs)
                {
                    tracker.Arrived(nowUs);
                }

                if (request.EndUs == nowUs)
                {
                    tracker.Ended(nowUs - request.WaitUs);
                }
            }

            var waiting = requests.Where(r => r.AtUs <= nowUs && r.BeginUs > nowUs).Select(r => r.AtUs);
            var executing = requests.Where(r => r.BeginUs <= nowUs && r.EndUs > nowUs).Select(r => nowUs - r.WaitUs);
            var untilUs = waiting.Concat(executing).Append(nowUs).Min();
            while (tracker.TryNext(untilUs, out var demand))
            {
                stream.Add(demand);
            }
        }

        Assert.False(tracker.HasOpen);
        return stream;
    }

    /// <summary>By definition: each request begins as it arrives; of the free slots it takes the first, slots being in use from the first on.</summary>
    private static List<RankedArrival> Naive(Request[] requests)
    {
        var stream = new List<RankedArrival>();
        for (var i = 0; i < requests.Length; i++)
        {
            var atUs = requests[i].AtUs;
            var active = requests[..i].Where(r => r.WithoutWaitUs > atUs).ToArray();
            var rank = active.Length + 1;

            // The last time so many were active and one of them ended.
            var lastUs = requests[..i].Select(r => r.WithoutWaitUs)
                .Where(endUs => endUs <= atUs && requests[..i].Count(r => r.AtUs < endUs && r.WithoutWaitUs >= endUs) >= rank)
                .Append(-1).Max();
            stream.Add(new RankedArrival(atUs, rank, lastUs < 0 ? -1 : atUs - lastUs));
        }

        return stream;
    }

    private static RankedArrival? Next(DemandTracker tracker, long untilUs) => tracker.TryNext(untilUs, out var demand) ? demand : null;

    private sealed record Request(long AtUs, long LengthUs, long WaitUs)
    {
        public long BeginUs => AtUs + WaitUs;

        public long EndUs => BeginUs + LengthUs;

        public long WithoutWaitUs => AtUs + LengthUs;
    }
}
