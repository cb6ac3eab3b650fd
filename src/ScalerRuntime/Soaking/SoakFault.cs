namespace FuncScaler.Runtime.Soaking;

/// <summary>What goes wrong in simulated worlds.</summary>
public enum SoakFault
{
    /// <summary>A call of the backend fails and has done nothing.</summary>
    CallFails,

    /// <summary>The platform wants fewer calls.</summary>
    Throttled,

    /// <summary>The platform refuses a call for good.</summary>
    Refused,

    /// <summary>A call takes effect, and its answer is lost.</summary>
    AnswerLost,

    /// <summary>A call ends in an error that no adapter foresaw, after its effect.</summary>
    Unforeseen,

    /// <summary>A call gives up by itself.</summary>
    GivenUp,

    /// <summary>A call has failed, and takes effect later.</summary>
    Late,

    /// <summary>A call takes effect twice.</summary>
    Twice,

    /// <summary>A call is not answered before the platform recovers.</summary>
    Hangs,

    /// <summary>An instance ends by itself.</summary>
    InstanceLost,

    /// <summary>The platform throttles every creation and destruction for a while, or its budget grants nothing.</summary>
    Storm,

    /// <summary>The wall clock jumps, forward or back.</summary>
    ClockJump,

    /// <summary>The process stands still while time goes on.</summary>
    Stall,

    /// <summary>The process is killed between two steps of its tasks.</summary>
    Kill,

    /// <summary>The same, while a batch is being saved.</summary>
    KillWhileSaving,

    /// <summary>The machine loses power: what was in mapped memory is gone too.</summary>
    PowerCut,

    /// <summary>The end of the log of a batch that was being saved is torn off.</summary>
    TornWrite,

    /// <summary>The disk is full.</summary>
    DiskFull,

    /// <summary>A caller goes away while it waits.</summary>
    CallerGone,

    /// <summary>A reply does not reach its caller.</summary>
    Undelivered,

    /// <summary>A caller that holds an instance is never heard of again.</summary>
    NeverReleased,

    /// <summary>A request is asked for again under its id.</summary>
    AskedTwice,

    /// <summary>A release comes twice, or names a wrong instance.</summary>
    WrongRelease,
}
