namespace FuncScaler.ContestSimulator.Platform;

/// <summary>
/// What a scaler can do wrong. What is said of Assign, Idle, instances and execution makes a request fail; what is said of CreateSlot, Init
/// and DestroySlot is answered with an error and costs nothing more.
/// </summary>
public enum Misuse
{
    /// <summary>Assign ended with an RPC error, its deadline included.</summary>
    AssignRpcError,

    /// <summary>Assign was answered with a status other than Ok.</summary>
    AssignRefused,

    /// <summary>The answer to Assign names another request or another function, or has no assignment.</summary>
    AssignmentMismatch,

    /// <summary>The granted instance was never given to Init.</summary>
    UnknownInstance,

    /// <summary>The granted instance's Init has not ended.</summary>
    InstanceNotInitialised,

    /// <summary>The granted instance's slot had been destroyed before.</summary>
    InstanceDestroyed,

    /// <summary>The granted instance was initialised for another function.</summary>
    InstanceOfOtherFunction,

    /// <summary>The granted instance is executing another request.</summary>
    InstanceAlreadyAssigned,

    /// <summary>The slot was destroyed while its instance executed a request.</summary>
    DestroyedWhileExecuting,

    /// <summary>Idle ended with an RPC error, its deadline included.</summary>
    IdleRpcError,

    /// <summary>Idle was answered with a status other than Ok.</summary>
    IdleRefused,

    /// <summary>CreateSlot without a memory size, or with one that does not fit 31 bits.</summary>
    CreateSlotWithoutMemory,

    /// <summary>Init of a slot that does not exist, or no longer exists.</summary>
    InitOfUnknownSlot,

    /// <summary>Init of a slot that was given to Init before.</summary>
    InitTwice,

    /// <summary>Init without an instance id.</summary>
    InitWithoutInstanceId,

    /// <summary>Init with an instance id that another slot had or has.</summary>
    InstanceIdInUse,

    /// <summary>Init for a function that the trace does not have.</summary>
    InitForUnknownFunction,

    /// <summary>Init for a function whose memory differs from the slot's.</summary>
    MemoryMismatch,

    /// <summary>DestroySlot of a slot that does not exist, or no longer exists.</summary>
    DestroyOfUnknownSlot,
}

/// <summary>How often one thing was done wrong.</summary>
/// <param name="Kind">What.</param>
/// <param name="Count">How often; at least 1.</param>
/// <param name="FirstExample">The first case, in one sentence.</param>
public sealed record MisuseCount(Misuse Kind, long Count, string FirstExample);
