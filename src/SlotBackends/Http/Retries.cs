using Polly;
using Polly.Retry;

namespace FuncScaler.SlotBackends.Http;

/// <summary>The one way in which backends try again: pauses that double, with jitter, on the scaler's clock.</summary>
internal static class Retries
{
    /// <param name="time">The clock.</param>
    /// <param name="tries">Tries after the first one; 0 for none.</param>
    /// <param name="delay">The pause before the first of them.</param>
    /// <param name="randomizer">Where the jitter comes from, 0 to 1; null for a shared random source.</param>
    /// <param name="retry">Whether a failure is worth another try.</param>
    /// <param name="asked">The pause that the platform asks for with a failure, instead; null for none.</param>
    public static ResiliencePipeline Make<TException>(
        TimeProvider time,
        int tries,
        TimeSpan delay,
        Func<double>? randomizer,
        Func<TException, bool> retry,
        Func<TException, TimeSpan?>? asked = null)
        where TException : Exception
    {
        var builder = new ResiliencePipelineBuilder { TimeProvider = time };
        if (tries > 0)
        {
            builder.AddRetry(new RetryStrategyOptions
            {
                MaxRetryAttempts = tries,
                Delay = delay,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Randomizer = randomizer ?? Random.Shared.NextDouble,
                ShouldHandle = arguments => ValueTask.FromResult(arguments.Outcome.Exception is TException e && retry(e)),
                DelayGenerator = asked is null ? null : arguments => ValueTask.FromResult(arguments.Outcome.Exception is TException e ? asked(e) : null),
            });
        }

        return builder.Build();
    }
}
