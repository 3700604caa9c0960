/* auc.h: the area under a ROC curve. */
#ifndef CORE_INFER_AUC_H
#define CORE_INFER_AUC_H

#include "core/vgg16.h"

/* How often a positive has a higher score than a negative, equal scores counting one half: (R - P (P + 1) / 2) / (P N),
 * R the sum of the positives' ranks, equal scores having their mean rank, P and N how many of both there are. Score i
 * stands at scores[i * stride]; it is a positive's when labels[i] is `positive`. *auc is NAN unless there are both.
 * Exact up to 2^31 items. Source: Hanley and McNeil, "The meaning and use of the area under a receiver operating
 * characteristic (ROC) curve", Radiology 1982. */
enum vgg_status vgg_auc(double *auc, const float *scores, size_t stride, const int *labels, int positive, size_t count);

#endif
