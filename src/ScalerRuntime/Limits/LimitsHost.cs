namespace FuncScaler.Runtime.Limits;

/// <summary>Who follows limits: not every host can do all that a limits file may say.</summary>
public enum LimitsHost
{
    /// <summary>One scaler that sees all requests.</summary>
    OneScaler,

    /// <summary>Workers of the Functions app, each with some of the requests, and a ledger for each function.</summary>
    Workers,
}
