namespace FuncScaler.Leasing.Ledger;

/// <summary>What a provisioning begins with: a <see cref="LedgerEffectKind.Provision"/>, made to travel.</summary>
public sealed record ProvisionRequest(FunctionMeta Function, SlotTicket Ticket, InstanceId Instance, long NotBeforeUs)
{
    public static ProvisionRequest From(LedgerEffect effect)
    {
        ArgumentNullException.ThrowIfNull(effect);
        return new ProvisionRequest(effect.Function!, effect.Ticket, effect.Instance, effect.AtUs);
    }

    /// <summary>The same for the same slot, so that starting it twice starts it once.</summary>
    public string Name => $"provision-{Ticket}";
}

/// <summary>A slot that is ready.</summary>
public sealed record ProvisionedSlot(SlotTicket Ticket, BackendSlotId BackendSlot, InstanceId Instance, Uri? Address, long CreateUs, long InitUs);

/// <summary>What a provisioning does next.</summary>
public enum ProvisionStepKind
{
    /// <summary>Wait for <see cref="ProvisionStep.WaitUs"/>; answer with Waited.</summary>
    Wait,

    /// <summary>Ask the backend to create the slot; answer with Created or Failed.</summary>
    Create,

    /// <summary>Initialise the slot; answer with Done or Failed.</summary>
    Init,

    /// <summary>Destroy what may have been created; answer with Done or Failed.</summary>
    Destroy,

    /// <summary>Tell the ledger Provisioned, and end.</summary>
    Register,

    /// <summary>Tell the ledger ProvisionFailed with <see cref="ProvisionStep.Failure"/>, and end.</summary>
    Report,
}

/// <summary>One step of a provisioning.</summary>
/// <param name="Kind">What to do.</param>
/// <param name="WaitUs">For how long to wait, µs.</param>
/// <param name="BackendSlot">The slot to initialise or destroy; empty when only its ticket is known.</param>
/// <param name="Failure">What to report.</param>
public sealed record ProvisionStep(ProvisionStepKind Kind, long WaitUs = 0, BackendSlotId BackendSlot = default, SlotFailure? Failure = null);

/// <summary>
/// Create, initialise, register, with bounded retries, and whatever fails, nothing left behind: the steps that an orchestration takes, one
/// after another, as a state machine. Replaying the same answers leads to the same steps.
/// </summary>
/// <param name="notBeforeUs">When to begin, µs; what the ledger's rate limit said.</param>
/// <param name="nowUs">The time, µs, on the same clock.</param>
/// <param name="options">Pauses.</param>
public sealed class Provisioning(long notBeforeUs, long nowUs, SlotPoolOptions options)
{
    /// <summary>Tries of each of create, init and destroy.</summary>
    public const int MaxAttempts = 4;

    private ProvisionStepKind _doing = ProvisionStepKind.Create;
    private int _attempts;
    private long _waitUs = Math.Max(0, notBeforeUs - nowUs);
    private BackendSlotId _slot;
    private Uri? _address;
    private bool _mayExist;
    private SlotFailure? _failure;
    private long _askedUs;
    private long _createUs;
    private long _initUs;

    /// <summary>What to do now; the same until it is answered.</summary>
    public ProvisionStep Next => _waitUs > 0
        ? new ProvisionStep(ProvisionStepKind.Wait, _waitUs)
        : new ProvisionStep(_doing, 0, _slot, _doing == ProvisionStepKind.Report ? _failure : null);

    /// <summary>The result, once <see cref="Next"/> says Register.</summary>
    public ProvisionedSlot Result(ProvisionRequest request) => new(request.Ticket, _slot, request.Instance, _address, _createUs, _initUs);

    /// <summary>The wait is over.</summary>
    public void Waited(long atUs)
    {
        _waitUs = 0;
        _askedUs = atUs;
    }

    /// <summary>The backend has created the slot.</summary>
    public void Created(long atUs, BackendSlotId slot)
    {
        _slot = slot;
        _mayExist = true;
        _createUs = Since(atUs);
        Go(ProvisionStepKind.Init, atUs);
    }

    /// <summary>The slot is initialised, and reached at an address where the platform has such; or it is destroyed.</summary>
    public void Done(long atUs, Uri? address = null)
    {
        if (_doing == ProvisionStepKind.Init)
        {
            _address = address;
            _initUs = Since(atUs);
            Go(ProvisionStepKind.Register, atUs);
        }
        else
        {
            // Without the slot's id "not there" may mean "not there yet": the ledger looks after it.
            _mayExist = _slot == default;
            GiveUp();
        }
    }

    /// <summary>The backend has refused or did not answer.</summary>
    public void Failed(long atUs, SlotFailure failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        _mayExist |= failure.OutcomeUnknown && _doing == ProvisionStepKind.Create;
        _attempts++;
        if (_doing == ProvisionStepKind.Destroy)
        {
            if (_attempts >= MaxAttempts)
            {
                GiveUp();
                return;
            }
        }
        else
        {
            _failure = failure;

            // After an unknown outcome a second create under the same ticket could make a second slot.
            if (failure.Kind == FailureKind.Permanent || _attempts >= MaxAttempts || (failure.OutcomeUnknown && _doing == ProvisionStepKind.Create))
            {
                if (_mayExist)
                {
                    Go(ProvisionStepKind.Destroy, atUs);
                }
                else
                {
                    GiveUp();
                }

                return;
            }
        }

        _waitUs = Math.Max(1, Math.Max(failure.RetryAfterUs, options.RetryPauseUs(_attempts)));
        _askedUs = atUs;
    }

    private long Since(long atUs) => Math.Max(0, atUs - (_askedUs == 0 ? nowUs : _askedUs));

    private void Go(ProvisionStepKind next, long atUs)
    {
        _doing = next;
        _attempts = 0;
        _askedUs = atUs;
    }

    private void GiveUp()
    {
        _failure = _failure! with { OutcomeUnknown = _mayExist };
        _doing = ProvisionStepKind.Report;
    }
}
