//go:build !linux && !darwin

package disk

import (
	"errors"
	"fmt"
)

func freeBytes(string) (int64, error) {
	return 0, fmt.Errorf("this system does not tell: %w", errors.ErrUnsupported)
}
