using FuncScaler.Policies;

namespace FuncScaler.Tests.Pool;

/// <summary>Functions that follow each other, as an operator says, told in the events that come in and the effects that go out.</summary>
public class GroupStories
{
    private const long Second = 1_000_000;

    private static readonly FunctionMeta A = new(new MetaKey("a"), "go", 60, 512);
    private static readonly FunctionMeta B = new(new MetaKey("b"), "go", 60, 1024);

    private readonly List<Effect> _effects = [];
    private readonly ScalerCore _core = new(PolicyCatalog.Parse("ttl:1"), new SlotPoolOptions());
    private long _nowUs;
    private int _requests;

    [Fact]
    public void Instances_are_made_ahead_of_those_that_follow_and_let_go_when_they_have_not_come()
    {
        Follow(Group(3, delaySeconds: 5) with { ChildSettings = B });

        // How long b takes to start is not known: at once then.
        Assert.Equal("create a, create b, create b, create b", Request(A));
        Start();
        Assert.Equal("", Wait(10.9 * Second));
        Assert.Equal("destroy b, destroy b, destroy b", Wait(0.2 * Second));
    }

    [Fact]
    public void They_are_made_just_in_time_where_it_is_known_how_long_they_take()
    {
        Cold(B, seconds: 2);
        Follow(Group(2, delaySeconds: 5));
        Assert.Equal("destroy b", Wait(20 * Second));
        Request(A);
        Assert.Equal(0, _core.Find(B.Key)!.InFlightCount);

        // 5 s less 1.25 times 2 s.
        Assert.Equal("", Wait(2.4 * Second));
        Assert.Equal("create b, create b", Wait(0.2 * Second));
        Start();
        Wait(1 * Second);
        Assert.Equal("b warm", Request(B));
        Assert.Equal("b warm", Request(B));

        // Nobody expects a third one.
        Assert.Equal("create b", Request(B));
    }

    [Fact]
    public void A_delay_that_nobody_gives_is_learned()
    {
        Cold(B, seconds: 1);
        Cold(A, seconds: 1);
        Follow(Group(1, delaySeconds: null));
        for (var i = 0; i < FollowingRequests.FewestDelays; i++)
        {
            Request(A);
            Wait(10 * Second);
            Request(B);
            Wait(30 * Second);
        }

        var explained = _core.Find(B.Key)!.Expected!.Explain(_nowUs).Single();
        Assert.Equal((10, 10, 21), (explained.LearnedDelaySeconds, explained.FromSeconds, explained.UntilSeconds));
        Request(A);
        Assert.Equal(0, _core.Find(B.Key)!.Expected!.Wanted);
        Wait(9 * Second);
        Assert.Equal(1, _core.Find(B.Key)!.Expected!.Wanted);
        Start();
        Wait(Second);
        Assert.Equal("b warm", Request(B));
        Assert.Equal(0, _core.Find(B.Key)!.Expected!.Wanted);
    }

    [Fact]
    public void Instances_that_are_there_count_and_what_they_cost_beyond_the_policy_is_told()
    {
        Cold(B, seconds: 1);
        Follow(Group(1, delaySeconds: 1));
        Wait(0.5 * Second);
        Assert.Equal("create a", Request(A));
        Assert.Equal("", Wait(2.9 * Second));
        Assert.Equal("destroy b", Wait(0.2 * Second));

        // ttl:1 would have held it for one of the three and a half seconds.
        Assert.Equal(2.5, _core.Find(B.Key)!.LimitsCost(_nowUs)!.FloorGbSeconds, 2);
    }

    [Fact]
    public void Places_are_counted_where_requests_share_an_instance()
    {
        Follow(Group(8, delaySeconds: 1) with { ChildSettings = B with { MaxConcurrency = 4 } });
        Request(A);
        Assert.Equal(2, _core.Find(B.Key)!.InFlightCount);
    }

    [Fact]
    public void A_circle_goes_no_further_than_requests_come()
    {
        Follow(Group(2, delaySeconds: 1) with { ChildSettings = B }, new FunctionGroup(B.Key, A.Key, 3) { Delay = TimeSpan.FromSeconds(1) });
        Request(A);
        Assert.Equal((1, 2), (_core.Find(A.Key)!.InFlightCount, _core.Find(B.Key)!.InFlightCount));
        Start();
        Request(B);
        Wait(1 * Second);
        Assert.Equal(3, _core.Find(A.Key)!.InFlightCount);
    }

    [Fact]
    public void Requests_that_are_repeated_or_refused_are_followed_by_nothing()
    {
        Follow(Group(1, delaySeconds: 1) with { ChildSettings = B });
        var request = new RequestId("same");
        _core.Assign(_nowUs, A, request, long.MaxValue, _effects);
        _core.Assign(_nowUs, A, request, long.MaxValue, _effects);
        Assert.Equal(1, _core.Find(B.Key)!.Expected!.Wanted);
        _core.Drain(_nowUs, _effects);
        _core.Assign(_nowUs, A, new RequestId("late"), long.MaxValue, _effects);
        Assert.Equal(1, _core.Find(B.Key)!.Expected!.Wanted);
    }

    [Fact]
    public void Groups_that_are_taken_away_hold_nothing_any_more()
    {
        Follow(Group(2, delaySeconds: 600) with { ChildSettings = B });
        Request(A);
        Start();
        Assert.Equal("", Wait(100 * Second));
        Assert.Equal("destroy b, destroy b", Follow());
        Assert.Null(_core.Find(B.Key)!.Expected);
    }

    [Fact]
    public void What_is_remembered_is_bounded()
    {
        var following = new FollowingRequests(Group(2, delaySeconds: 60));
        for (var i = 0; i < 2 * FollowingRequests.MostParents; i++)
        {
            following.ParentCame(i, long.MaxValue);
        }

        Assert.Equal(2 * FollowingRequests.MostParents, following.Wanted);
    }

    [Fact]
    public void Where_a_delay_is_given_requests_that_never_come_are_not_waited_for_longer_and_longer()
    {
        var following = new FollowingRequests(Group(4, delaySeconds: 2));
        for (var i = 0; i < 200; i++)
        {
            following.ParentCame(i * 20 * Second, long.MaxValue);
            following.ChildCame((i * 20 * Second) + (2 * Second));
        }

        Assert.InRange(following.Explain().UntilSeconds, 5, 20);
    }

    [Fact]
    public void Groups_that_say_nothing_clear_are_refused()
    {
        Assert.Equal("FanOut is 0 and must be 1 to 1000.", Refused(Group(0, 1)));
        Assert.Equal("Delay is 02:00:00 and must be 0 to 01:00:00.", Refused(Group(1, 7200)));
        Assert.Equal("a is followed by b in two groups: give one, with the fan-out of both.", Refused(Group(1, 1), Group(2, 3)));

        string Refused(params FunctionGroup[] groups) => Assert.Throws<ArgumentException>(() => _core.SetGroups(0, groups, _effects)).Message;
    }

    private static FunctionGroup Group(int fanOut, double? delaySeconds) =>
        new(A.Key, B.Key, fanOut) { Delay = delaySeconds is { } s ? TimeSpan.FromSeconds(s) : null };

    private string Follow(params FunctionGroup[] groups) => Do(() => _core.SetGroups(_nowUs, groups, _effects));

    private string Request(FunctionMeta function) => Do(() => _core.Assign(_nowUs, function, new RequestId($"r{++_requests}"), long.MaxValue, _effects));

    /// <summary>A request whose instance takes so long to start, and which is released at once.</summary>
    private void Cold(FunctionMeta function, int seconds)
    {
        _core.Assign(_nowUs, function, new RequestId("cold"), long.MaxValue, _effects);
        Create();
        _nowUs += seconds * Second;
        Ready();
        _core.Release(_nowUs, function.Key, new RequestId("cold"), _core.Find(function.Key)!.Assignments.Last().Instance, default, _effects);
        _core.CheckInvariants();
    }

    /// <summary>What is being created is ready.</summary>
    private void Start()
    {
        Create();
        Ready();
    }

    private void Create() => Each(SlotState.Creating, (function, slot) => _core.SlotCreated(_nowUs, function, slot, new BackendSlotId($"s{slot}"), _effects));

    private void Ready() => Each(SlotState.Initializing, (function, slot) => _core.SlotReady(_nowUs, function, slot, _effects));

    private void Each(SlotState state, Action<MetaKey, SlotTicket> action)
    {
        foreach (var (function, slot) in _core.Inventory.Where(s => s.Slot.State == state).ToList())
        {
            action(function, slot.Ticket);
        }

        _core.CheckInvariants();
    }

    private string Wait(double us)
    {
        var untilUs = _nowUs + (long)us;
        return Do(() =>
        {
            for (; _core.NextWakeUs <= untilUs; _nowUs = Math.Max(_nowUs, Math.Min(untilUs, _core.NextWakeUs)))
            {
                _nowUs = Math.Max(_nowUs, _core.NextWakeUs);
                _core.Tick(_nowUs, _effects);
            }

            _nowUs = untilUs;
        });
    }

    private string Do(Action act)
    {
        _effects.Clear();
        act();
        _core.CheckInvariants();
        return string.Join(", ", _effects.Where(e => e.Kind is EffectKind.CreateSlot or EffectKind.DestroySlot or EffectKind.Grant).Select(e => e.Kind switch
        {
            EffectKind.CreateSlot => $"create {e.Function.Key}",
            EffectKind.DestroySlot => $"destroy {e.Function.Key}",
            _ => $"{e.Function.Key} {e.GrantKind.ToString().ToLowerInvariant()}",
        }));
    }
}
